"""Erasing from PostgreSQL: a snapshot gets another partition of a table, without the rows.

Nothing is deleted in place, for that would leave its bytes in the pages. Readers see the old
partition or the new one. The connection autocommits.
"""

import hashlib
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from zhongtai.crash_points import reach
from zhongtai.erasure.leaves import SplitPart
from zhongtai.erasure.selection import copy_erased
from zhongtai.erasure.taken import Taken
from zhongtai.publish import postgres_store
from zhongtai.publish.content import PublishedTable, TableHash, is_copy, quoted
from zhongtai.publish.postgres_leaves import drop_next, list_leaves
from zhongtai.publish.postgres_store import data_schema, retry_locked

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def replace_part(
    connection: psycopg.Connection,
    engine: "DuckDBPyConnection",
    table: PublishedTable,
    snapshot_id: str,
    expected: TableHash,
) -> None:
    """Give a snapshot another partition of a table, with what stands in the attached files."""
    old, new = _names(connection, table, snapshot_id)
    schema = data_schema(table.store)
    with connection.transaction():
        _drop(connection, table, new)
        drop_next(connection, schema, list_leaves(connection, schema, old).values())
        postgres_store.fill_part(connection, engine, table, (snapshot_id, new), expected)
    reach("erase.part_filled")
    _swap(connection, table, snapshot_id, (old, new), expected)


def leave_rest(  # noqa: PLR0913, PLR0917  # what is taken from where, and what is left
    connection: psycopg.Connection,
    duck: "DuckDBPyConnection",
    table: PublishedTable,
    snapshot_id: str,
    taken: Taken,
    left: TableHash,
) -> bool:
    """Give a snapshot another partition of a table, with the rows of the old one that stay.

    Much faster than to send them anew: the server copies them. `duck` has what `copy_erased`
    copies. False, and nothing is changed, where other rows than those taken would go.
    """
    old, new = _names(connection, table, snapshot_id)
    schema = data_schema(table.store)
    if leaves := list_leaves(connection, schema, old):
        return SplitPart(connection, table, old, leaves).leave_rest(duck, taken, left)
    source = f"{quoted(schema)}.{quoted(old)}"
    columns = ", ".join(quoted(c.name) for c in postgres_store.stored_columns(table))
    is_left = False
    with connection.transaction() as block:
        _drop(connection, table, new)
        copy_erased(connection, duck)
        gone = f"(select * from {source} where {taken.condition}) as gone"  # noqa: S608
        part = postgres_store.create_part(connection, table, (snapshot_id, new))
        copied = connection.execute(
            f"insert into {quoted(schema)}.{quoted(new)} ({columns})"  # noqa: S608  # quoted names
            f" select {columns} from {source} where not ({taken.condition})".encode()
        ).rowcount
        is_same = is_copy(taken.hash, *postgres_store.hash_rows(connection, table, gone))
        if not is_same or copied != left.rows:
            raise psycopg.Rollback(block)
        postgres_store.finish_part(connection, table, part)
        is_left = True
    if is_left:
        reach("erase.part_left")
        _swap(connection, table, snapshot_id, (old, new), left)
    return is_left


def _names(
    connection: psycopg.Connection, table: PublishedTable, snapshot_id: str
) -> tuple[str, str]:
    """The partition of a table, and what the next one is called."""
    row = connection.execute(
        "select part_name from publication.parts"
        " where store = %s and snapshot_id = %s and table_name = %s",
        [table.store, snapshot_id, table.name],
    ).fetchone()
    assert row is not None  # noqa: S101  # the caller read it there
    old = str(row[0])
    return old, f"{table.name[:40]}__{hashlib.sha256(old.encode()).hexdigest()[:16]}"


def _drop(connection: psycopg.Connection, table: PublishedTable, name: str) -> None:
    """Remove what a crash left behind."""
    part = sql.Identifier(data_schema(table.store), name)
    connection.execute(sql.SQL("drop table if exists {}").format(part))


def _swap(
    connection: psycopg.Connection,
    table: PublishedTable,
    snapshot_id: str,
    names: tuple[str, str],
    expected: TableHash,
) -> None:
    """Attach the new partition in place of the old one, which is dropped."""
    old, new = names
    schema = data_schema(table.store)

    def swap() -> None:
        parent, part = sql.Identifier(schema, table.name), sql.Identifier(schema, old)
        connection.execute(sql.SQL("alter table {} detach partition {}").format(parent, part))
        connection.execute(postgres_store.attach_part(schema, table.name, new, snapshot_id))
        connection.execute(sql.SQL("drop table {}").format(part))
        connection.execute(
            "update publication.parts set part_name = %s, rows = %s, content_hash = %s"
            " where store = %s and part_name = %s",
            [new, expected.rows, expected.content_hash, table.store, old],
        )

    retry_locked(connection, swap, f"replacing a partition of {table.label}")
    reach("erase.part_swapped")
