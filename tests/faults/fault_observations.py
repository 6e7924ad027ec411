"""What a home holds, in a form that two homes can be compared by."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg
import pyarrow.parquet as pq

from zhongtai.settings import Settings

# What differs from run to run: which one, and when.
_OF_THE_RUN = {
    "snapshot_id", "run_id", "as_of", "created_at", "published_at", "identity_version",
    # salted anew for each map
    "value_key", "named_key",
}  # fmt: skip
_PER_RUN = {"meta_snapshots", "meta_gate_results", "meta_runs"}
# The number of the erasure that wrote a part anew.
_NUMBER = re.compile(r"-x\d+(?=\.parquet)")
# Where a file fails, one of equal bytes that comes after it is the one that counts.
_FIRST = "min({}) over (partition by source, entity, sha256)"
_LEDGER = {
    "deliveries": f"source, entity, {_FIRST.format('file')}, sha256, bytes, status, rule, reason,"
    " rows_in, rows_loaded, rows_quarantined, rows_duplicate, rows_suppressed, part",
    "parts": "part, kind, rows",
    "quarantine": "file, level, q.rule, column_name, q.reason, severity, rows, replayed_rows",
}
# Folders of which nothing is kept on purpose, or whose content tells of runs.
_NOT_COMPARED = (
    "postgres",
    "logs",
    "docs",
    "locks",
    "warehouse",
    "dbt",
    "tmp",
    "erasure",
    "published",
)


@dataclass(frozen=True)
class Relation:
    """The rows of a table or file, and what they say."""

    rows: int
    content: str


def digest(rows: Iterable[Iterable[object]]) -> Relation:
    """Rows in any order."""
    listed = sorted(repr(tuple(row)) for row in rows)
    return Relation(len(listed), hashlib.sha256("\n".join(listed).encode()).hexdigest()[:16])


def observe(
    settings: Settings, connection: psycopg.Connection, *, stores: bool = True
) -> dict[str, Relation]:
    """Everything that a disturbed and an undisturbed home must agree on, by name."""
    found = {f"ledger.{name}": _read_ledger(connection, name) for name in _LEDGER}
    found |= _read_files(settings, _rank_snapshots(connection), _name_equals(connection))
    for store, content in (read_stores(settings, connection) if stores else {}).items():
        found |= {f"{store}: {table}": relation for table, (_, relation) in content.items()}
    found |= {f"leftover: {name}": Relation(1, "") for name in list_leftovers(settings, connection)}
    return found


def _read_ledger(connection: psycopg.Connection, table: str) -> Relation:
    joined = " q join ledger.deliveries using (delivery_id)" if table == "quarantine" else ""
    rows = connection.execute(f"select {_LEDGER[table]} from ledger.{table}{joined}").fetchall()
    return digest([_NUMBER.sub("", c) if isinstance(c, str) else c for c in row] for row in rows)


def _rank_snapshots(connection: psycopg.Connection) -> dict[str, str]:
    """Names of snapshots that two homes share: the newest is 0."""
    rows = connection.execute(
        "select snapshot_id from ledger.snapshots where state in ('published', 'superseded')"
        " order by created_at desc"
    )
    return {row[0]: str(rank) for rank, row in enumerate(rows)}


def _name_equals(connection: psycopg.Connection) -> dict[str, str]:
    """One id for all deliveries of the same bytes."""
    rows = connection.execute(
        f"select delivery_id, {_FIRST.format('delivery_id')} from ledger.deliveries"
    )
    return dict(rows.fetchall())


def _read_files(
    settings: Settings, ranks: Mapping[str, str], equals: Mapping[str, str]
) -> dict[str, Relation]:
    """Every file of the home that lasts: Parquet files by their rows, others by their bytes."""
    found = {}
    for file in sorted(settings.home.rglob("*")):
        path = file.relative_to(settings.home)
        # which resolution made a map is a number of its run
        is_named = path.parts[0] == "identity" and file.name == "resolution"
        if not file.is_file() or is_named or path.parts[0] in _NOT_COMPARED:
            continue
        parts = [ranks.get(part, part) for part in path.parts]
        name = _NUMBER.sub("", "/".join(parts))
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            kept = [c for c in table.column_names if c not in {*_OF_THE_RUN, "changed_at"}]
            rows = table.select(kept).to_pylist()
            found[name] = digest([_name_delivery(c, equals) for c in row.values()] for row in rows)
        else:
            found[name] = Relation(1, hashlib.sha256(file.read_bytes()).hexdigest()[:16])
    return found


def _name_delivery(cell: object, equals: Mapping[str, str]) -> object:
    return equals.get(cell, cell) if isinstance(cell, str) else cell


Content = Mapping[str, tuple[str | None, Relation]]


def read_stores(settings: Settings, connection: psycopg.Connection) -> dict[str, Content]:
    """What readers see now: by store and table, of which snapshot and what."""
    found: dict[str, Content] = {"postgres": _read_postgres(connection)}
    for store in ("metrics", "profiles"):
        link = settings.path("published", store, "current.duckdb")
        found[f"duckdb {store}"] = _read_duckdb(link) if link.exists() else {}
    folder = settings.path("published", "parquet", "current")
    found["parquet"] = {
        f"{file.parent.name}.{file.stem}": _read(duckdb.connect(), f"read_parquet('{file}')")
        for file in sorted(folder.resolve().glob("*/*.parquet"))
        if file.stem not in _PER_RUN
    }
    return found


def _read_duckdb(link: Path) -> Content:
    with duckdb.connect(link.resolve(), read_only=True) as reader:
        tables = [row[0] for row in reader.execute("show tables").fetchall()]
        return {table: _read(reader, f'"{table}"') for table in tables if table not in _PER_RUN}


def _read(reader: duckdb.DuckDBPyConnection, relation: str) -> tuple[str | None, Relation]:
    columns = [row[0] for row in reader.execute(f"describe select * from {relation}").fetchall()]
    kept = ", ".join(f'"{c}"' for c in columns if c not in _OF_THE_RUN)
    ids = reader.execute(f"select min(snapshot_id), max(snapshot_id) from {relation}").fetchone()
    shown = ids[0] if ids[0] == ids[1] else f"mixed: {ids[0]} and {ids[1]}"
    return shown, digest(reader.execute(f"select {kept} from {relation}").fetchall())


def _read_postgres(connection: psycopg.Connection) -> Content:
    """All views in one transaction: a reader sees what its first statement saw."""
    content = {}
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        for schema, view in connection.execute(
            "select schemaname, viewname from pg_views where schemaname in ('metrics', 'profiles')"
            " order by 1, 2"
        ).fetchall():
            if view in _PER_RUN:
                continue
            cursor = connection.execute(f'select * from {schema}."{view}"')
            names = [c.name for c in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
            ids = sorted({row["snapshot_id"] for row in rows})
            shown = ids[0] if len(ids) == 1 else (f"mixed: {ids}" if ids else None)
            kept = [n for n in names if n not in _OF_THE_RUN]
            content[f"{schema}.{view}"] = (shown, digest([row[n] for n in kept] for row in rows))
    return content


def list_leftovers(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """What nobody knows of: unfinished files, partitions and runs without an owner."""
    left = [
        str(file.relative_to(settings.home))
        for file in settings.home.rglob("*")
        if _is_leftover(file.relative_to(settings.home))
    ]
    left += [
        f"partition {row[0]}"
        for row in connection.execute(
            "select relname from pg_class c where relkind in ('r', 'p') and relnamespace in"
            " (to_regnamespace('metrics_data'), to_regnamespace('profiles_data'))"
            # leaves belong to a partition; the tables that readers' views read to none
            " and not exists (select from pg_inherits where inhrelid = c.oid and inhparent in"
            " (select partrelid from pg_partitioned_table where partattrs[0] = 0))"
            " and not exists (select from pg_partitioned_table"
            " where partrelid = c.oid and partattrs[0] <> 0)"
            " and relname not in (select part_name from publication.parts)"
        )
    ]
    left += [
        f"snapshot is {row[0]}"
        for row in connection.execute(
            "select state from ledger.snapshots where state not in"
            " ('published', 'superseded', 'abandoned', 'held')"
        )
    ]
    return sorted(left)


def _is_leftover(path: Path) -> bool:
    if path.parts[0] == "postgres":
        return False
    if path.parts[0] == "tmp":
        return path.name != "ingest.lock" and len(path.parts) == 2 and path.name != "duckdb"
    if path.parts[0] == "erasure":
        return path.name.startswith((".", "open-"))
    return (path.name.startswith(".") and path.name != ".lock") or path.suffix == ".wal"


def count_snapshots(settings: Settings, connection: psycopg.Connection) -> dict[str, int]:
    """How many snapshots each store keeps."""
    parts = connection.execute(
        "select count(distinct snapshot_id) from publication.parts"
    ).fetchone()
    counted = Counter({"postgres": parts[0]})
    for store in ("metrics", "profiles"):
        files = settings.path("published", store).glob("[!.]*.duckdb")
        counted[f"duckdb {store}"] = sum(1 for file in files if not file.is_symlink())
    for name in ("published/parquet", "identity"):
        folders = settings.path(name).glob("[!.]*/")
        counted[name] = sum(1 for folder in folders if not folder.is_symlink())
    return dict(counted)
