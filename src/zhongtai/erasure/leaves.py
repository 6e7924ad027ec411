"""Erasing from a partition that has leaves: only those that hold the person are written anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from zhongtai.crash_points import reach
from zhongtai.erasure.selection import copy_erased
from zhongtai.erasure.taken import Taken
from zhongtai.publish import postgres_store
from zhongtai.publish.content import PublishedTable, TableHash, is_copy, quoted
from zhongtai.publish.postgres_leaves import Leaf, create_next, exchange
from zhongtai.publish.postgres_store import data_schema, retry_locked

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class SplitPart:
    """A partition and its leaves, by their object id. The connection autocommits."""

    connection: psycopg.Connection
    table: PublishedTable
    name: str
    leaves: Mapping[int, Leaf]

    @property
    def _schema(self) -> str:
        return data_schema(self.table.store)

    def _relation(self, name: str) -> str:
        return f"{quoted(self._schema)}.{quoted(name)}"

    def leave_rest(self, duck: "DuckDBPyConnection", taken: Taken, left: TableHash) -> bool:
        """Leave the rows that stay; `duck` has what `copy_erased` copies.

        False, and nothing is changed, where other rows than those taken would go.
        """
        made: dict[Leaf, Leaf] = {}
        with self.connection.transaction() as block:
            copy_erased(self.connection, duck)
            rows, gone = self._count(taken)
            total = 0
            for leaf in gone:
                made[leaf], summed = self._leave(leaf, taken)
                total += summed
            count = sum(gone.values())
            are_those = is_copy(taken.hash, count, total) and rows - count == left.rows
            if not are_those:
                raise psycopg.Rollback(block)
        if not are_those:
            return False
        reach("erase.part_left")
        self._exchange(made, left)
        return True

    def _count(self, taken: Taken) -> tuple[int, dict[Leaf, int]]:
        """The rows of all leaves, and how many go, by leaf that loses some."""
        found = self.connection.execute(
            f"select tableoid, count(*), count(*) filter (where {taken.condition})"  # noqa: S608
            f" from {self._relation(self.name)} group by tableoid".encode()
        ).fetchall()
        gone = {self.leaves[int(oid)]: int(lost) for oid, _, lost in found if lost}
        return sum(int(rows) for _, rows, _ in found), gone

    def _leave(self, leaf: Leaf, taken: Taken) -> tuple[Leaf, int]:
        """The table that takes the place of a leaf, and the sum over what goes."""
        connection, table = self.connection, self.table
        made, named = create_next(connection, self._schema, self.name, leaf)
        source = self._relation(leaf.name)
        columns = ", ".join(quoted(c.name) for c in postgres_store.stored_columns(table))
        connection.execute(
            f"insert into {self._relation(made.name)} ({columns}) select {columns}"  # noqa: S608
            f" from {source} where not ({taken.condition})".encode()
        )
        postgres_store.finish_part(connection, table, named)
        goes = f"(select * from {source} where {taken.condition}) as gone"  # noqa: S608
        return made, postgres_store.hash_rows(connection, table, goes)[1]

    def _exchange(self, made: Mapping[Leaf, Leaf], left: TableHash) -> None:
        def swap() -> None:
            for old, new in made.items():
                exchange(self.connection, self._schema, self.name, old, new)
            self.connection.execute(
                "update publication.parts set rows = %s, content_hash = %s"
                " where store = %s and part_name = %s",
                [left.rows, left.content_hash, self.table.store, self.name],
            )

        retry_locked(self.connection, swap, f"replacing leaves of {self.table.label}")
        reach("erase.part_swapped")
