"""Which parts each staging table has seen, and which code built it: kept in the working file.

A staging table is built anew from all parts where its code, its contract or the parts that count
are other ones; where nothing is unseen it stands as it is and is not built at all.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.contracts import Contract
from zhongtai.scaffold import model_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Code that decides what a staging table holds, says of itself and is tested for.
_FOLDERS = ("macros/cleaning", "macros/engine", "macros/schema", "macros/staging", "tests/generic")
_PAGES = ("models/columns.md", "dbt_project.yml")
_SEEDS = ("null_words.csv", "placeholder_mobiles.csv")


def create(build: "DuckDBPyConnection") -> None:
    """The tables of this state, where they are missing; schema `meta` exists."""
    build.execute("create table if not exists meta.staged_parts (table_name text, part text)")
    build.execute(
        "create table if not exists meta.staged_models (table_name text, fingerprint text)"
    )
    build.execute(
        "create table if not exists meta.expected_parts"
        " (table_name text, fingerprint text, part text)"
    )


def fingerprint(project_dir: Path, contract: Contract) -> str:
    """A digest of everything but the data that decides what the staging table is."""
    project = project_dir / "dbt_project"
    model = model_file(project_dir, contract)
    files = [
        *sorted(file for folder in _FOLDERS for file in (project / folder).rglob("*.sql")),
        *(project / page for page in _PAGES),
        *(project_dir / "seeds" / name for name in _SEEDS),
        model,
        model.with_suffix(".yml"),
    ]
    digest = hashlib.sha256(contract.content_hash.encode())
    for file in files:
        digest.update(file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()


def keep_staged(build: "DuckDBPyConnection", table: str, code: str, standing: set[str]) -> set[str]:
    """Marks of the parts that the staging table of a raw table has seen; empty where it must go.

    A table that other code than `code` has made, or from parts that are not among `standing`, is
    dropped.
    """
    found = build.execute(
        "select fingerprint from meta.staged_models where table_name = ?", [table]
    ).fetchone()
    rows = build.execute("select part from meta.staged_parts where table_name = ?", [table])
    staged = {row[0] for row in rows.fetchall()}
    if f"stg_{table}" in _list_built(build) and found == (code,) and staged <= standing:
        return staged
    _drop(build, table)
    return set()


def expect(build: "DuckDBPyConnection", table: str, code: str, marks: list[str]) -> None:
    """Note what the staging table will have seen once dbt has built it."""
    listed: list[str] | list[None] = marks or [None]
    build.execute("delete from meta.expected_parts where table_name = ?", [table])
    build.execute(
        "insert into meta.expected_parts select $table, $code, unnest($marks::text[])",
        {"table": table, "code": code, "marks": listed},
    )


def list_unstaged(build: "DuckDBPyConnection") -> list[str]:
    """Raw tables whose staging table is missing or has parts to see; sorted."""
    built = _list_built(build)
    rows = build.execute(
        "select table_name, count(part) from meta.expected_parts group by table_name"
    ).fetchall()
    return sorted(table for table, unseen in rows if unseen or f"stg_{table}" not in built)


def record(build: "DuckDBPyConnection", tables: Iterable[str]) -> None:
    """The staging tables of these raw tables have seen what was expected of them."""
    for table in tables:
        build.execute(
            "insert into meta.staged_parts select table_name, part from meta.expected_parts"
            " where table_name = $table and part is not null"
            " except select table_name, part from meta.staged_parts where table_name = $table",
            {"table": table},
        )
        build.execute("delete from meta.staged_models where table_name = ?", [table])
        build.execute(
            "insert into meta.staged_models select distinct table_name, fingerprint"
            " from meta.expected_parts where table_name = ?",
            [table],
        )
        build.execute("delete from meta.expected_parts where table_name = ?", [table])


def forget(build: "DuckDBPyConnection", tables: Iterable[str] | None = None) -> None:
    """Drop the staging tables of these raw tables; of all that are known by default."""
    if tables is None:
        found = build.execute("select table_name from meta.staged_models").fetchall()
        tables = [row[0] for row in found]
    for table in tables:
        _drop(build, table)


def _list_built(build: "DuckDBPyConnection") -> set[str]:
    rows = build.execute(
        "select table_name from information_schema.tables where table_schema = 'staging'"
    )
    return {row[0] for row in rows.fetchall()}


def _drop(build: "DuckDBPyConnection", table: str) -> None:
    build.execute(f"drop table if exists staging.stg_{table}")
    for state in ("staged_parts", "staged_models"):
        build.execute(f"delete from meta.{state} where table_name = ?", [table])  # noqa: S608  # names of our own
