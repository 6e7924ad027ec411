"""What the working file keeps of the last computation of tags, so that the next repeats little.

Tables of schema `tags`: `computed` with the as-of of that computation and `fingerprints` of what
it read, for dbt to compare with; `computed_models` with the digests of the models. A table is kept
only where the very same statement would make it again. All of it is forgotten before anything is
computed and kept when everything is there: whatever comes between, the next run computes in full.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.tags.models import WIDE, generated_models
from zhongtai.tags.staleness import FINGERPRINTS
from zhongtai.warehouse import open_build

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SCHEMAS = "('intermediate', 'profiles')"
_NO_FINGERPRINTS = "(select '' as concern, '' as one_id, 0::ubigint as fingerprint limit 0)"
_LOCAL = timedelta(hours=8)
_INCREMENTAL = "materialized='incremental'"


def prepare_increment(settings: Settings, run: Run) -> None:
    """Keep of the tables of tags what the run may add to, and drop the others.

    All are dropped without `settings.incremental_tags`. Writes build.duckdb, so the caller holds
    the build.
    """
    with open_build(settings) as build:
        if not settings.incremental_tags:
            forget(build)
        prepare(build, _read_digests(settings.project_dir, run))


def keep_increment(settings: Settings, run: Run) -> None:
    """Note that all tags were computed as of the run. The caller holds the build."""
    with open_build(settings) as build:
        keep(build, _read_digests(settings.project_dir, run), _naive(run))


def digest_models(texts: Mapping[str, str], more: str, as_of: datetime) -> dict[str, str]:
    """Model -> digest of all but the facts that decides what its rows are, of those that keep rows.

    `texts` are the generated models by name, `more` whatever else their SQL is made from. Rules
    count local days to as-of, so the wide table is another one on another day.
    """
    digests = {
        name: _digest(more, text)
        for name, text in texts.items()
        if _INCREMENTAL in text and name != WIDE
    }
    if _INCREMENTAL in texts[WIDE]:
        day = (as_of + _LOCAL).date().isoformat()
        digests[WIDE] = _digest(more, day, *(texts[name] for name in sorted(texts)))
    return digests


def forget(build: "DuckDBPyConnection") -> None:
    """Let nothing be kept of the last computation."""
    build.execute("create schema if not exists tags")
    build.execute("create or replace table tags.computed_models (model text, digest text)")


def prepare(build: "DuckDBPyConnection", digests: Mapping[str, str]) -> None:
    """Drop each of these tables that another statement made, and forget that the rest is whole."""
    build.execute("begin")
    build.execute("create schema if not exists tags")
    build.execute("create table if not exists tags.computed (as_of timestamp)")
    build.execute("create table if not exists tags.computed_models (model text, digest text)")
    kept = dict(build.execute("from tags.computed_models").fetchall())
    place = _find(build, FINGERPRINTS)
    if not kept or place is None:
        kept = {}
        build.execute("delete from tags.computed")
    source = place if kept else _NO_FINGERPRINTS
    build.execute(f"create or replace table tags.fingerprints as from {source}")
    for model, digest in digests.items():
        there = _find(build, model)
        if there and kept.get(model) != digest:
            build.execute(f"drop table {there}")
    build.execute("delete from tags.computed_models")
    build.execute("commit")


def keep(build: "DuckDBPyConnection", digests: Mapping[str, str], as_of: datetime) -> None:
    """Note as of when (naive UTC) these tables were computed, and by which statements."""
    build.execute("begin")
    build.execute("create or replace table tags.computed as select ?::timestamp as as_of", [as_of])
    build.executemany("insert into tags.computed_models values (?, ?)", list(digests.items()))
    build.execute("commit")


def _read_digests(project_dir: Path, run: Run) -> dict[str, str]:
    macros = sorted((project_dir / "dbt_project" / "macros").rglob("*.sql"))
    code = "\n".join(file.read_text("utf-8") for file in macros)
    return digest_models(generated_models(project_dir), code, _naive(run))


def _find(build: "DuckDBPyConnection", table: str) -> str | None:
    """Schema and name of a table of the working file; None where there is none."""
    found = build.execute(
        'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'  # noqa: S608
        f" where table_name = ? and schema_name in {_SCHEMAS}",
        [table],
    ).fetchone()
    return found[0] if found else None


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _naive(run: Run) -> datetime:
    return run.as_of.replace(tzinfo=None)
