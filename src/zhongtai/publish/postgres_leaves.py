"""Leaves: large partitions of persons are split by the last sign of an id.

Ids end in random hexadecimal digits, so a person stands in one leaf of a table, and to take the
person out only that leaf is written anew. The sign is the same in DuckDB and PostgreSQL, whatever
the collation: DuckDB sends each leaf its rows. What has another id, or none, has a leaf of its own.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from zhongtai.publish.content import PublishedTable, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Below that a partition is copied faster than it is worth to plan queries over its leaves.
ROWS_TO_SPLIT = 500_000
KEY = "one_id"
# What is published never changes. Autovacuum would find nothing to do in it, and the short steps
# that exchange and drop tables do not wait long enough for PostgreSQL to call it off.
NEVER_VACUUMED = sql.SQL("with (autovacuum_enabled = false)")
# More leaves make an erasure cheaper and each publish dearer: DuckDB reads a table once for each.
_SIGNS = ("0123", "4567", "89ab", "cdef")


@dataclass(frozen=True)
class Leaf:
    """A leaf of a partition: its table, and the last signs of its ids; all others where empty."""

    name: str
    signs: str

    def condition(self, one_id: str) -> str:
        """SQL for DuckDB and PostgreSQL: whether an id (SQL) belongs here."""
        signs = self.signs or "".join(_SIGNS)
        listed = ", ".join(f"'{sign}'" for sign in signs)
        last = f"right({one_id}, 1)"
        belongs = f"{last} is not null and {last} in ({listed})"
        return belongs if self.signs else f"not ({belongs})"

    @property
    def bound(self) -> sql.Composable:
        """What stands after `partition of` and `attach partition`."""
        if not self.signs:
            return sql.SQL("default")
        return sql.SQL("for values in ({})").format(
            sql.SQL(", ").join(map(sql.Literal, self.signs))
        )


def is_split(table: PublishedTable, rows: int) -> bool:
    """Whether a partition of so many rows has leaves."""
    return table.store == "profiles" and table.has(KEY) and rows >= ROWS_TO_SPLIT


def part_kind(*, has_leaves: bool) -> sql.Composable:
    """What stands after the columns of a new partition."""
    if not has_leaves:
        return NEVER_VACUUMED
    return sql.SQL('partition by list ("right"({}, 1))').format(sql.Identifier(KEY))


def create_leaves(connection: psycopg.Connection, schema: str, part: str) -> list[Leaf]:
    """Empty leaves of a partition that is made to have them."""
    leaves = [
        Leaf(next_name(f"{part} {number}"), signs) for number, signs in enumerate((*_SIGNS, ""))
    ]
    for leaf in leaves:
        connection.execute(
            sql.SQL("create table {} partition of {} {} {}").format(
                sql.Identifier(schema, leaf.name),
                sql.Identifier(schema, part),
                leaf.bound,
                NEVER_VACUUMED,
            )
        )
    return leaves


def find_filled(engine: "DuckDBPyConnection", relation: str, leaves: Sequence[Leaf]) -> list[Leaf]:
    """The leaves that have a row of `relation` (SQL): reading ids alone is cheap."""
    if not leaves:
        return []
    counts = ", ".join(f"count(*) filter (where {leaf.condition(quoted(KEY))})" for leaf in leaves)
    row = engine.execute(f"select {counts} from {relation}").fetchone()  # noqa: S608
    assert row is not None  # noqa: S101  # an aggregate without group by has one row
    return [leaf for leaf, count in zip(leaves, row, strict=True) if count]


def list_leaves(connection: psycopg.Connection, schema: str, part: str) -> dict[int, Leaf]:
    """The leaves of a partition by their object id; none where it is not split."""
    found = connection.execute(
        "select c.oid, c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i"
        " join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass(%s)"
        " order by c.relname",
        [f"{quoted(schema)}.{quoted(part)}"],
    ).fetchall()
    return {int(oid): Leaf(name, _read_signs(bound)) for oid, name, bound in found}


def _read_signs(bound: str) -> str:
    """What belongs to a leaf as PostgreSQL tells it: other versions may have split otherwise."""
    return "".join(re.findall("'(.)'", bound))


def next_name(name: str) -> str:
    """What a table that takes the place of a leaf is called."""
    return f"leaf__{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def create_next(
    connection: psycopg.Connection, schema: str, part: str, leaf: Leaf
) -> tuple[Leaf, sql.Identifier]:
    """An empty table that can be attached in place of a leaf without a scan.

    What a crash left of it is dropped.
    """
    made = Leaf(next_name(leaf.name), leaf.signs)
    named = sql.Identifier(schema, made.name)
    drop_next(connection, schema, [leaf])
    connection.execute(
        sql.SQL("create table {} (like {} including defaults including constraints) {}").format(
            named, sql.Identifier(schema, part), NEVER_VACUUMED
        )
    )
    check = sql.SQL(leaf.condition(quoted(KEY)))
    connection.execute(sql.SQL("alter table {} add check ({})").format(named, check))
    return made, named


def drop_next(connection: psycopg.Connection, schema: str, leaves: Iterable[Leaf]) -> None:
    """Remove what a crash left of tables that were to take the place of leaves."""
    for leaf in leaves:
        left = sql.Identifier(schema, next_name(leaf.name))
        connection.execute(sql.SQL("drop table if exists {}").format(left))


def exchange(connection: psycopg.Connection, schema: str, part: str, old: Leaf, new: Leaf) -> None:
    """Attach a table in place of a leaf, which is dropped."""
    parent, gone = sql.Identifier(schema, part), sql.Identifier(schema, old.name)
    connection.execute(sql.SQL("alter table {} detach partition {}").format(parent, gone))
    connection.execute(
        sql.SQL("alter table {} attach partition {} {}").format(
            parent, sql.Identifier(schema, new.name), new.bound
        )
    )
    connection.execute(sql.SQL("drop table {}").format(gone))
