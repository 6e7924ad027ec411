"""Erasing from the snapshots that are kept: their DuckDB files, Parquet files and partitions.

The DuckDB file of a snapshot goes first; the other stores then follow what stands in it, so a
crash in between leaves them to be brought in line. Readers never wait, and see no other change.
The hash of what is left is the difference of two sums; after a crash it is worked out anew.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from zhongtai.crash_points import reach
from zhongtai.erasure.partitions import leave_rest, replace_part
from zhongtai.erasure.selection import erased_condition, write_ids
from zhongtai.erasure.taken import Taken
from zhongtai.publish import duckdb_store, encryption, folders, parquet_store, postgres_store
from zhongtai.publish.content import (
    PublishedColumn,
    PublishedTable,
    TableHash,
    duckdb_hash,
    literal,
    quoted,
    snapshot_hash,
)
from zhongtai.settings import Settings
from zhongtai.tags.bitmaps import drop_bitmaps, ready_bitmaps

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORE = "profiles"
_LEFT = ".erased-"


@dataclass(frozen=True)
class Snapshots:
    """The kept snapshots; `duck` has what `write_erased` writes. `connection` autocommits."""

    settings: Settings
    connection: psycopg.Connection
    duck: "DuckDBPyConnection"

    def list_kept(self) -> list[str]:
        """The snapshots that have a file of persons."""
        folder = folders.store_folder(self.settings, STORE)
        return sorted(
            file.name.removesuffix(".duckdb")
            for file in folder.glob("*.duckdb")
            if not file.is_symlink() and not file.name.startswith(".")
        )

    def count(self, snapshot_id: str) -> int:
        """How many rows of a snapshot are about the persons."""
        with _attached(self.duck, self.settings, self._file(snapshot_id)) as conditions:
            return sum(self._count_rows(table, where) for table, where in conditions.items())

    def erase(self, snapshot_id: str) -> int:
        """Take the rows out of every store; returns how many. May be repeated."""
        taken = self._rewrite_duckdb(snapshot_id)
        with duckdb_store.open_staged(self.settings, snapshot_id, staged=False) as engine:
            tables = _read_tables(engine, STORE)
            rows = {table.name: _count(engine, table) for table in tables}
            left = Left(engine, rows, taken)
            self._follow_postgres(left, snapshot_id, tables)
            self._follow_parquet(left, snapshot_id, tables)
        if taken:
            drop_bitmaps(self.settings, snapshot_id)
        if snapshot_id == postgres_store.current_snapshot(self.connection):
            ready_bitmaps(self.settings, snapshot_id)
        return sum(one.hash.rows for one in taken.values())

    def _file(self, snapshot_id: str) -> Path:
        return duckdb_store.snapshot_file(self.settings, STORE, snapshot_id)

    def _count_rows(self, table: str, where: str) -> int:
        query = f"select count(*) from kept.main.{quoted(table)} where {where}"  # noqa: S608
        row = self.duck.execute(query).fetchone()
        return int(row[0]) if row else 0

    def _rewrite_duckdb(self, snapshot_id: str) -> dict[str, Taken]:
        """Take the rows out of the DuckDB file; returns what was taken, by table."""
        file = self._file(snapshot_id)
        staged = file.with_name(f"{_LEFT}{file.name}")
        staged.unlink(missing_ok=True)
        with _attached(self.duck, self.settings, file) as conditions:
            taken = self._find_taken(conditions)
            if not taken:
                return {}
            encryption.create(self.duck, self.settings, STORE, staged, "remaining")
            try:
                staged.chmod(0o600)
                self._copy_left(conditions)
                self.duck.execute("checkpoint remaining")
            finally:
                self.duck.execute("detach remaining")
        staged.chmod(duckdb_store.FILE_MODES[STORE])
        folders.sync(staged)
        # a second try finds nothing to take out of the new file, and would leave them
        drop_bitmaps(self.settings, snapshot_id)
        reach("erase.snapshot_written")
        staged.replace(file)
        folders.sync(file.parent)
        reach("erase.snapshot_replaced")
        return taken

    def _find_taken(self, conditions: dict[str, str]) -> dict[str, Taken]:
        """The rows that go, by table, where there are any."""
        found = {}
        for table in _read_tables(self.duck, "kept"):
            if table.name in conditions:
                condition = conditions[table.name]
                rows = f"(select * from kept.main.{quoted(table.name)} where {condition})"  # noqa: S608
                found[table.name] = Taken(condition, duckdb_hash(self.duck, table, rows))
        return {name: taken for name, taken in found.items() if taken.hash.rows}

    def _copy_left(self, conditions: dict[str, str]) -> None:
        duck = self.duck
        comments = duck.execute(
            "select table_name, null, comment from duckdb_tables() where database_name = 'kept'"
            " union all select table_name, column_name, comment from duckdb_columns()"
            " where database_name = 'kept'"
        ).fetchall()
        for table in dict.fromkeys(row[0] for row in comments):
            stays = f"not ({conditions[table]})" if table in conditions else "true"
            duck.execute(
                f"create table remaining.main.{quoted(table)} as"  # noqa: S608 - catalogue names
                f" select * from kept.main.{quoted(table)} where {stays}"
            )
        for table, column, comment in comments:
            if comment:
                what = f"column remaining.main.{quoted(table)}.{quoted(column)}" if column else ""
                what = what or f"table remaining.main.{quoted(table)}"
                duck.execute(f"comment on {what} is {literal(comment)}")

    def _follow_postgres(
        self, left: "Left", snapshot_id: str, tables: list[PublishedTable]
    ) -> None:
        held = {
            table: TableHash(rows, content_hash)
            for table, rows, content_hash in self.connection.execute(
                "select table_name, rows, content_hash from publication.parts"
                " where store = %s and snapshot_id = %s",
                [STORE, snapshot_id],
            ).fetchall()
        }
        for table in tables:
            known = held.get(table.name)
            if known is None or known.rows == left.rows[table.name]:
                continue
            rest = left.subtract(table, known)
            if rest is None or not leave_rest(
                self.connection, self.duck, table, snapshot_id, left.taken[table.name], rest
            ):
                expected = left.hash(table)
                replace_part(self.connection, left.engine, table, snapshot_id, expected)

    def _follow_parquet(self, left: "Left", snapshot_id: str, tables: list[PublishedTable]) -> None:
        folder = folders.store_folder(self.settings, "parquet") / snapshot_id
        file = folder / parquet_store.MANIFEST
        if not file.exists():
            return
        manifest = json.loads(file.read_text("utf-8"))
        by_name = {table.name: table for table in tables}
        changed = False
        for entry in manifest["tables"]:
            table = by_name.get(entry["table"]) if entry["store"] == STORE else None
            if table and left.rows[table.name] != entry["rows"]:
                known = TableHash(entry["rows"], entry["content_hash"])
                found = left.subtract(table, known) or left.hash(table)
                options = encryption.parquet_options(left.engine, self.settings, STORE)
                _rewrite_parquet(left.engine, table, folder / entry["path"], options)
                entry.update(_describe(folder / entry["path"], found))
                changed = True
        if changed:
            self._write_manifest(snapshot_id, file, manifest)

    def _write_manifest(self, snapshot_id: str, file: Path, manifest: dict[str, Any]) -> None:
        manifest["content_hash"] = snapshot_hash(
            {
                f"{entry['store']}.{entry['table']}": TableHash(
                    entry["rows"], entry["content_hash"]
                )
                for entry in manifest["tables"]
            }
        )
        # the manifest comes last: until then its rows say that something is left to be done
        self.connection.execute(
            "update ledger.snapshots set content_hash = %s where snapshot_id = %s",
            [manifest["content_hash"], snapshot_id],
        )
        reach("erase.hash_recorded")
        staged = file.with_name(f"{_LEFT}{file.name}")
        staged.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")
        staged.chmod(0o444)
        folders.sync(staged)
        staged.replace(file)
        folders.sync(file.parent)
        reach("erase.manifest_replaced")


@contextmanager
def _attached(
    duck: "DuckDBPyConnection", settings: Settings, file: Path
) -> Iterator[dict[str, str]]:
    """Attach a file of persons as `kept`; gives the condition of each table that can lose rows."""
    encryption.attach(duck, settings, file, "kept")
    try:
        columns: dict[str, list[str]] = {}
        for table, column in duck.execute(
            "select table_name, column_name from duckdb_columns() where database_name = 'kept'"
        ).fetchall():
            columns.setdefault(table, []).append(column)
        write_ids(duck, "kept.main.bridge_user_records")
        found = {table: erased_condition(table, names) for table, names in columns.items()}
        yield {table: condition for table, condition in found.items() if condition}
    finally:
        duck.execute("detach kept")


@dataclass(frozen=True)
class Left:
    """What is left in the DuckDB file of a snapshot, which `engine` has attached.

    `rows` and `taken` are by table; of a table that an earlier try rewrote `taken` knows nothing.
    """

    engine: "DuckDBPyConnection"
    rows: dict[str, int]
    taken: dict[str, Taken]

    def hash(self, table: PublishedTable) -> TableHash:
        """The hash of what is left, of every row."""
        return duckdb_hash(self.engine, table, f"{STORE}.main.{quoted(table.name)}")

    def subtract(self, table: PublishedTable, known: TableHash) -> TableHash | None:
        """What is left of `known` without what was taken, where that is all the difference."""
        taken = self.taken.get(table.name)
        rows = self.rows[table.name]
        return known.without(taken.hash) if taken and known.rows - taken.hash.rows == rows else None


def _read_tables(engine: "DuckDBPyConnection", catalog: str) -> list[PublishedTable]:
    """The tables of persons as they stand in an attached file, without what publishing adds."""
    columns: dict[str, list[PublishedColumn]] = {}
    for table, name, kind in engine.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = ? and column_name <> 'snapshot_id' order by column_index",
        [catalog],
    ).fetchall():
        columns.setdefault(table, []).append(PublishedColumn(name, kind, ""))
    return [PublishedTable(STORE, name, "", tuple(found)) for name, found in columns.items()]


def _count(engine: "DuckDBPyConnection", table: PublishedTable) -> int:
    query = f"select count(*) from {STORE}.main.{quoted(table.name)}"  # noqa: S608
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0


def _rewrite_parquet(
    engine: "DuckDBPyConnection", table: PublishedTable, file: Path, options: str
) -> None:
    staged = file.with_name(f"{_LEFT}{file.name}")
    engine.execute(
        f"copy {duckdb_store.staged_relation(table)} to {literal(str(staged))} (format parquet,"
        f" compression zstd{options})"
    )
    staged.chmod(duckdb_store.FILE_MODES[STORE])
    folders.sync(staged)
    staged.replace(file)
    folders.sync(file.parent)
    reach("erase.parquet_replaced")


def _describe(file: Path, found: TableHash) -> dict[str, object]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "rows": found.rows,
        "bytes": file.stat().st_size,
        "sha256": digest,
        "content_hash": found.content_hash,
    }
