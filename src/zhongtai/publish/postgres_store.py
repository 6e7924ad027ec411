"""PostgreSQL: one partition per table and snapshot, loaded by COPY, verified, then attached."""

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors, sql

from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.publish.candidates import Candidate
from zhongtai.publish.content import (
    PublishedColumn,
    PublishedTable,
    TableHash,
    is_copy,
    postgres_hash_query,
    quoted,
    type_rule,
)
from zhongtai.publish.duckdb_store import staged_relation
from zhongtai.publish.postgres_leaves import KEY, create_leaves, find_filled, is_split, part_kind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The partition key. Its own name, because meta_snapshots has a snapshot_id of another meaning.
PARTITION_KEY = "_snapshot_id"
ROWS_PER_BATCH = 50_000
# What front-line tools and support look up; metrics tables are small and aggregated.
LOOKUPS = (
    ("one_id",),
    ("source", "entity", "record_key"),
    ("identifier_type", "identifier_value"),
    ("vin",),
)


class StalePublisherError(ZhongtaiError):
    """Somebody else moved the pointer since this publisher started."""


def data_schema(store: str) -> str:
    """The schema of the partitioned tables behind the views of a store."""
    return f"{store}_data"


def stored_columns(table: PublishedTable) -> tuple[PublishedColumn, ...]:
    """The columns that are copied: all published ones but the partition key."""
    if table.has("snapshot_id"):
        return table.published_columns
    return tuple(c for c in table.published_columns if c.name != "snapshot_id")


def part_name(table: PublishedTable, snapshot_id: str) -> str:
    """Name of the partition, at most the 63 bytes that PostgreSQL keeps."""
    name = f"{table.name}__{snapshot_id}"
    if len(name.encode()) <= 63:
        return name
    return f"{table.name[:40]}__{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def stage(
    connection: psycopg.Connection,
    engine: "DuckDBPyConnection",
    tables: Sequence[PublishedTable],
    candidate: Candidate,
) -> None:
    """Load and verify a partition of every table; no reader sees them before the flip.

    `engine` has the staged DuckDB files attached. Raises ZhongtaiError when what an earlier try
    left behind cannot be dropped because readers hold it.
    """
    if not drop(connection, candidate.snapshot_id):
        raise ZhongtaiError(
            f"long queries hold what an earlier try left of {candidate.snapshot_id}",
            hint="end the long query that `select * from pg_stat_activity` shows, then run again",
        )
    for table in tables:
        _prepare_parent(connection, table)
        reach("publish.parent_ready")
        with connection.transaction():
            _load_part(connection, engine, table, candidate)
            reach("publish.part_attached")
        reach("publish.part_committed")


def _prepare_parent(connection: psycopg.Connection, table: PublishedTable) -> None:
    """Create the partitioned table, or add the columns that are new.

    Adding a column needs a short exclusive lock: it is tried again rather than waited for,
    because readers would queue behind the wait.
    """
    parent = sql.Identifier(data_schema(table.store), table.name)
    columns = [
        sql.SQL("{} " + type_rule(table, column).postgres).format(sql.Identifier(column.name))
        for column in stored_columns(table)
    ]
    columns.append(sql.SQL('{} text collate "C" not null').format(sql.Identifier(PARTITION_KEY)))
    connection.execute(
        sql.SQL("create table if not exists {} ({}) partition by list ({})").format(
            parent, sql.SQL(", ").join(columns), sql.Identifier(PARTITION_KEY)
        )
    )
    found = set(read_columns(connection, data_schema(table.store)).get(table.name, {}))
    missing = [c for c in stored_columns(table) if c.name not in found]
    if missing:
        retry_locked(
            connection,
            lambda: connection.execute(
                sql.SQL("alter table {} {}").format(
                    parent,
                    sql.SQL(", ").join(
                        sql.SQL("add column {} " + type_rule(table, c).postgres).format(
                            sql.Identifier(c.name)
                        )
                        for c in missing
                    ),
                )
            ),
            f"adding columns to {table.label}",
        )


def _load_part(
    connection: psycopg.Connection,
    engine: "DuckDBPyConnection",
    table: PublishedTable,
    candidate: Candidate,
) -> None:
    snapshot_id, expected = candidate.snapshot_id, candidate.tables[table.label]
    schema, name = data_schema(table.store), part_name(table, snapshot_id)
    fill_part(connection, engine, table, (snapshot_id, name), expected)
    connection.execute(attach_part(schema, table.name, name, snapshot_id))
    connection.execute(
        "insert into publication.parts values (%s, %s, %s, %s, %s, %s)",
        [snapshot_id, table.store, table.name, name, expected.rows, expected.content_hash],
    )


def fill_part(
    connection: psycopg.Connection,
    engine: "DuckDBPyConnection",
    table: PublishedTable,
    part_of: tuple[str, str],
    expected: TableHash,
) -> None:
    """Make a table (of a snapshot, by name) that can be attached; the caller holds the transaction.

    Raises ZhongtaiError where it does not hold what was sent.
    """
    schema, name = data_schema(table.store), part_of[1]
    has_leaves = is_split(table, expected.rows)
    part = create_part(connection, table, part_of, has_leaves=has_leaves)
    leaves = create_leaves(connection, schema, name) if has_leaves else []
    reach("publish.part_created")
    for leaf in find_filled(engine, staged_relation(table), leaves):
        filled = sql.Identifier(schema, leaf.name)
        _copy(connection, engine, table, filled, leaf.condition(quoted(KEY)))
    if not leaves:
        _copy(connection, engine, table, part)
    reach("publish.part_copied")
    rows, total = hash_rows(connection, table, f"{quoted(schema)}.{quoted(name)}")
    if not is_copy(expected, rows, total):
        raise ZhongtaiError(
            f"{table.label}: PostgreSQL holds {rows} rows, or other values, where"
            f" {expected.rows} rows were sent",
            hint="nothing was published; run `zhongtai publish` again",
        )
    finish_part(connection, table, part)


def create_part(
    connection: psycopg.Connection,
    table: PublishedTable,
    part_of: tuple[str, str],
    *,
    has_leaves: bool = False,
) -> sql.Identifier:
    """An empty table (of a snapshot, by name) that can be attached without a scan."""
    snapshot_id, name = part_of
    schema = data_schema(table.store)
    parent, part = sql.Identifier(schema, table.name), sql.Identifier(schema, name)
    key, value = sql.Identifier(PARTITION_KEY), sql.Literal(snapshot_id)
    kind = part_kind(has_leaves=has_leaves)
    connection.execute(sql.SQL("create table {} (like {}) {}").format(part, parent, kind))
    # the check lets ATTACH skip its scan; the default spares sending the id with every row
    connection.execute(
        sql.SQL("alter table {} alter column {} set default {}, add check ({} = {})").format(
            part, key, value, key, value
        )
    )
    return part


def hash_rows(
    connection: psycopg.Connection, table: PublishedTable, relation: str
) -> tuple[int, int]:
    """Rows and sum of `relation` (SQL), for `is_copy`."""
    row = connection.execute(postgres_hash_query(table, relation).encode()).fetchone()
    assert row is not None  # noqa: S101  # an aggregate without group by has one row
    return int(row[0]), int(row[1])


def finish_part(
    connection: psycopg.Connection, table: PublishedTable, part: sql.Identifier
) -> None:
    """Index a filled table, and let the planner know it."""
    _index(connection, table, part)
    connection.execute(sql.SQL("analyze {}").format(part))


def attach_part(schema: str, table: str, part: str, snapshot_id: str) -> sql.Composed:
    """The statement that attaches a table to those of a snapshot."""
    return sql.SQL("alter table {} attach partition {} for values in ({})").format(
        sql.Identifier(schema, table), sql.Identifier(schema, part), sql.Literal(snapshot_id)
    )


def _copy(
    connection: psycopg.Connection,
    engine: "DuckDBPyConnection",
    table: PublishedTable,
    part: sql.Identifier,
    rows: str = "true",
) -> None:
    """Stream rows of a table as CSV made by Arrow: batches, never rows, and no file in between."""
    from pyarrow import csv

    columns = stored_columns(table)
    selected = ", ".join(
        f"{type_rule(table, c).copied.format(c=quoted(c.name))} as {quoted(c.name)}"
        for c in columns
    )
    sent = f"(select {selected} from {staged_relation(table)})"  # noqa: S608  # quoted names
    query = f"select * from {sent} where {rows}"  # noqa: S608
    batches = engine.execute(query).to_arrow_reader(ROWS_PER_BATCH)
    target = sql.SQL("copy {} ({}) from stdin (format csv, freeze)").format(
        part, sql.SQL(", ").join(sql.Identifier(c.name) for c in columns)
    )
    with connection.cursor() as cursor, cursor.copy(target) as copy:
        for batch in batches:
            buffer = io.BytesIO()
            csv.write_csv(batch, buffer, csv.WriteOptions(include_header=False))
            copy.write(buffer.getbuffer())


def _index(connection: psycopg.Connection, table: PublishedTable, part: sql.Identifier) -> None:
    if table.store != "profiles":
        return
    for columns in LOOKUPS:
        if all(table.has(column) for column in columns):
            connection.execute(
                sql.SQL("create index on {} ({})").format(
                    part, sql.SQL(", ").join(map(sql.Identifier, columns))
                )
            )


def read_columns(connection: psycopg.Connection, schema: str) -> dict[str, dict[str, str]]:
    """Type of every column, by table (or view) and column, in column order."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid"
        # a plain table is a partition that was detached and waits for its readers to be dropped
        # one that is partitioned by an expression is a partition with leaves
        " where c.relnamespace = to_regnamespace(%s) and (c.relkind = 'v' or exists (select from"
        " pg_partitioned_table p where p.partrelid = c.oid and p.partattrs[0] <> 0))"
        " and a.attnum > 0 and not a.attisdropped"
        " order by c.relname, a.attnum",
        [schema],
    ):
        found.setdefault(table, {})[column] = kind
    return found


def retry_locked(
    connection: psycopg.Connection, action: Callable[[], object], what: str, attempts: int = 50
) -> None:
    """Do a short locking step, giving way to readers: wait 200 ms at most, then try again.

    Raises ZhongtaiError after `attempts` tries: some reader holds its lock all the time.
    """
    for _ in range(attempts):
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '200ms'")
                action()
        except errors.LockNotAvailable:
            # a pause in the server, so that waiting readers go first
            connection.execute("select pg_sleep(0.2)")
        else:
            return
    raise ZhongtaiError(
        f"{what}: readers kept the lock for {attempts * 0.4:.0f} seconds",
        hint="end the long query that `select * from pg_stat_activity` shows, then run again",
    )


def current_snapshot(connection: psycopg.Connection) -> str | None:
    """The snapshot that readers see."""
    row = connection.execute("select snapshot_id from publication.pointer").fetchone()
    return str(row[0]) if row and row[0] else None


def move_pointer(
    connection: psycopg.Connection, snapshot_id: str, previous: str | None, because: str
) -> None:
    """Show `snapshot_id` to every reader with one guarded update.

    Raises StalePublisherError when the pointer no longer stands at `previous`.
    """
    with connection.transaction():
        moved = connection.execute(
            "update publication.pointer set snapshot_id = %s"
            " where snapshot_id is not distinct from %s",
            [snapshot_id, previous],
        )
        if moved.rowcount != 1:
            raise StalePublisherError(
                f"readers see {current_snapshot(connection)}, this publisher started from"
                f" {previous}: nothing was changed",
                hint="another publish or rollback came first; run `zhongtai run` again",
            )
        connection.execute(
            "insert into publication.flips (snapshot_id, previous_snapshot_id, because)"
            " values (%s, %s, %s)",
            [snapshot_id, previous, because],
        )
        reach("publish.pointer_moved")


def drop(connection: psycopg.Connection, snapshot_id: str) -> bool:
    """Detach and drop the partitions of a snapshot; False when readers still hold some.

    `connection` must autocommit. What could not be dropped now is dropped after a later publish.
    """
    connection.execute("set lock_timeout = '2s'")
    try:
        for store, table, part in connection.execute(
            "select store, table_name, part_name from publication.parts where snapshot_id = %s",
            [snapshot_id],
        ).fetchall():
            schema = data_schema(store)
            _detach(connection, schema, table, part)
            reach("clean_up.part_detached")
            with connection.transaction():
                connection.execute(
                    sql.SQL("drop table if exists {}").format(sql.Identifier(schema, part))
                )
                connection.execute(
                    "delete from publication.parts where store = %s and part_name = %s",
                    [store, part],
                )
            reach("clean_up.part_dropped")
    except errors.LockNotAvailable:
        return False
    finally:
        connection.execute("reset lock_timeout")
    return True


def _detach(connection: psycopg.Connection, schema: str, table: str, part: str) -> None:
    """Detach a partition; whichever was cut off before is finished first, or it hinders others."""
    for (pending,) in connection.execute(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = to_regclass(%s) and i.inhdetachpending",
        [f"{quoted(schema)}.{quoted(table)}"],
    ).fetchall():
        connection.execute(
            sql.SQL("alter table {} detach partition {} finalize").format(
                sql.Identifier(schema, table), sql.Identifier(schema, pending)
            )
        )
    query = "select 1 from pg_inherits where inhrelid = to_regclass(%s)"
    if connection.execute(query, [f"{quoted(schema)}.{quoted(part)}"]).fetchone():
        # CONCURRENTLY never makes a reader wait
        connection.execute(
            sql.SQL("alter table {} detach partition {} concurrently").format(
                sql.Identifier(schema, table), sql.Identifier(schema, part)
            )
        )


def holds(connection: psycopg.Connection, snapshot_id: str) -> bool:
    """Whether the store has the partitions of a snapshot."""
    row = connection.execute(
        "select exists (select 1 from publication.parts where snapshot_id = %s)", [snapshot_id]
    ).fetchone()
    return bool(row and row[0])


def list_snapshots(connection: psycopg.Connection) -> set[str]:
    """Every snapshot id that has a partition."""
    return {r[0] for r in connection.execute("select distinct snapshot_id from publication.parts")}
