"""What is left elsewhere below the home: exports, pages of the checks, logs, temporary files.

Nothing there is needed again: an export or a page that names an erased person is removed, of a log
the lines that do. What was handed out is told, for its receivers have to be told as well.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from zhongtai.crash_points import reach
from zhongtai.erasure.naming import ANYTHING
from zhongtai.erasure.texts import holds_any, list_words_of
from zhongtai.ingest.rules import literal
from zhongtai.ingest.workspace import open_workspace
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FOLDERS = ("exports", "docs", "logs", "dbt", "airflow")
_LOGS = ("logs", "airflow")
# What a page looks like, and says nothing
_NO_TEXT = (".css", ".js", ".otf", ".woff", ".woff2", ".png", ".gif", ".ico", ".svg")
# Airflow's own database and its settings are no logs
_NO_LOGS = (".db", ".cfg", ".json", ".pid", ".py", ".pyc")


@dataclass
class Leftovers:
    """Files below the home that name the persons; `exported` are names of files handed out."""

    exports: list[Path] = field(default_factory=list)
    pages: list[Path] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)


def find_leftovers(settings: Settings, duck: "DuckDBPyConnection") -> Leftovers:
    """Every such file; `duck` has the temp table `wanted` (kind, value)."""
    found = Leftovers()
    sought = list_sought(duck)
    for folder in _FOLDERS:
        for file in _walk(settings.path(folder)):
            if folder in _LOGS and file.suffix in _NO_LOGS:
                continue
            if _is_named_in(duck, file, sought):
                kind = found.exports if folder == "exports" else found.pages
                (found.logs if folder in _LOGS else kind).append(file)
    return found


def remove_leftovers(
    settings: Settings, connection: psycopg.Connection, duck: "DuckDBPyConnection"
) -> tuple[Leftovers, list[str]]:
    """Remove them; returns them, and to which destinations exports of them were handed out."""
    found = find_leftovers(settings, duck)
    destinations = list_destinations(connection, found.exports)
    for file in (*found.exports, *found.pages):
        file.unlink()
        reach("erase.leftover_removed")
    sought = list_sought(duck)
    for file in found.logs:
        _cut_lines(file, sought)
    # entering a workspace removes those of processes that are gone
    with open_workspace(settings):
        for left in settings.path("tmp").glob("*"):
            if left.is_dir() and not left.name.startswith("ingest-"):
                shutil.rmtree(left, ignore_errors=True)
    return found, destinations


def list_sought(duck: "DuckDBPyConnection") -> set[str]:
    """The values that texts are searched for."""
    rows = duck.execute("select value from wanted where kind = ?", [ANYTHING]).fetchall()
    return {row[0] for row in rows}


def list_destinations(connection: psycopg.Connection, files: list[Path]) -> list[str]:
    """Who was handed these exports, as the ledger of exports says."""
    rows = connection.execute(
        "select distinct destination from tags.exports where file = any(%s) order by 1",
        [[file.name for file in files]],
    )
    return [row[0] for row in rows]


def _walk(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if (
            file.suffix not in _NO_TEXT
            and file.is_file()
            and not file.is_symlink()
            and file.stat().st_size
        ):
            yield file


def _is_named_in(duck: "DuckDBPyConnection", file: Path, sought: set[str]) -> bool:
    if file.suffix != ".parquet":
        return holds_any(file, sought)
    read = f"read_parquet({literal(str(file))})"
    cells = f"unpivot (select columns(*)::varchar from {read}) on columns(*)"  # noqa: S608
    found = duck.execute(
        f"select 1 from ({cells}) semi join wanted using (value) limit 1"  # noqa: S608
    ).fetchone()
    return found is not None


def _cut_lines(file: Path, sought: set[str]) -> None:
    """Write a log anew without the lines that name the persons; its writer goes on in it."""
    lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
    with file.open("r+", encoding="utf-8") as opened:
        opened.writelines(line for line in lines if sought.isdisjoint(list_words_of(line)))
        opened.truncate()
    reach("erase.log_cut")
