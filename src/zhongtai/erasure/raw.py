"""Erasing from the raw zone: parts are written anew without the rows, the ledger counts them.

A part never changes: what is left of it becomes another part, which takes its place in one
transaction with the counts. Until then the old one counts, afterwards it is an orphan.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.erasure.matching import WANTED_SCHEMA, named_sql, select_left, wanted_rows_sql
from zhongtai.erasure.naming import list_namings
from zhongtai.ingest.parts import Lake, part_schema
from zhongtai.ingest.rules import literal, quoted
from zhongtai.ingest.settle import entity_lock
from zhongtai.ledger import all_parts
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS_PER_GROUP = 122_880
# between this machine and the one of PostgreSQL, at the most
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class RawZone:
    """The raw zone as an erasure sees it; `duck` has the temp table `wanted` (kind, value).

    `until` (aware): parts that were loaded later are left alone, tombstones judged their rows.
    """

    settings: Settings
    connection: psycopg.Connection
    duck: "DuckDBPyConnection"
    folder: Path
    until: datetime

    @property
    def lake(self) -> Lake:
        """The parts."""
        return Lake(self.settings)

    def count(self, contract: Contract) -> tuple[int, int]:
        """How many rows of an entity would go, and in how many others a cell would be emptied."""
        self._find(contract, self._list_parts(contract))
        return self._count_found()

    def _count_found(self) -> tuple[int, int]:
        row = self.duck.execute(
            "select count(*) filter (where gone), count(*) filter (where not gone)"
            " from (select part_no, _row_number, bool_or(is_own) as gone from found group by all)"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def erase(self, contract: Contract, mark: str) -> tuple[int, int]:
        """Take the rows out and empty the cells; returns how many of each. May be repeated.

        `mark` tells what rewrites the parts, and names the new ones.
        """
        with entity_lock(self.settings, self.connection, contract):
            parts = self._list_parts(contract)
            counted = self.count(contract)
            if any(counted):
                self._replace(contract, parts, mark)
            self.lake.remove_orphans(contract, all_parts(self.connection, contract))
        return counted

    def recall_values(self, contract: Contract, macs_match: str) -> pa.Table:
        """What rows of the entity name and a condition on kind and value holds for."""
        parts = self._list_parts(contract)
        if not parts:
            return WANTED_SCHEMA.empty_table()
        self._register(parts)
        named = named_sql(list_namings(contract), self._relation(contract, parts), "part_no")
        query = f"select * from (select distinct kind, value from ({named})) where {macs_match}"  # noqa: S608
        return self.duck.execute(query).to_arrow_table().cast(WANTED_SCHEMA)

    def _note(self, delivery_id: str, rows: int) -> None:
        """Called in the transaction that counts rows as gone; an erasure keeps no list of them."""

    def _list_parts(self, contract: Contract) -> list["HeldPart"]:
        found = self.connection.execute(
            "select p.part, p.delivery_id, p.rows from ledger.parts p"
            " join ledger.deliveries d using (delivery_id) where d.source = %s and d.entity = %s"
            " and p.rows > 0 and p.loaded_at <= %s order by p.sequence",
            [contract.source, contract.entity, self.until + _CLOCKS_DIFFER],
        )
        return [HeldPart(*row) for row in found]

    def _find(self, contract: Contract, parts: list["HeldPart"]) -> None:
        """Write temp table found: part_no, _row_number, number (of the naming), is_own."""
        namings = list_namings(contract)
        own = [number for number, naming in enumerate(namings) if naming.is_own]
        query = "select 0 as part_no, 0::bigint as _row_number, 0 as number where false"
        if parts:
            self._register(parts)
            relation = self._relation(contract, parts)
            query = wanted_rows_sql(namings, relation, "part_no, _row_number")
        self.duck.execute(
            "create or replace temp table found as select *,"  # noqa: S608 - contracts
            f" list_contains({own}::integer[], number) as is_own from ({query})"
        )

    def _register(self, parts: list["HeldPart"]) -> None:
        self.duck.execute("create or replace temp table places (part_no integer, place varchar)")
        places = [self.lake.location(part.path) for part in parts]
        self.duck.execute(
            "insert into places select unnest($numbers::integer[]), unnest($places::varchar[])",
            {"numbers": list(range(len(parts))), "places": places},
        )
        self.lake.show_to(self.duck)

    def _relation(self, contract: Contract, parts: list["HeldPart"]) -> str:
        """SQL: the rows of the parts with the number of their part; columns of today's contract."""
        files = ", ".join(literal(self.lake.location(part.path)) for part in parts)
        read = f"read_parquet([{files}], filename = true, union_by_name = true)"
        present = {row[0] for row in self.duck.execute(f"describe select * from {read}").fetchall()}  # noqa: S608
        listed = ", ".join(
            quoted(field.name) if field.name in present else f"null as {quoted(field.name)}"
            for field in part_schema(contract)
        )
        return (
            f"(select part_no, {listed} from {read} as part"  # noqa: S608 - contracts
            " join places on places.place = part.filename)"
        )

    def _replace(self, contract: Contract, parts: list["HeldPart"], mark: str) -> None:
        touched = [
            row[0]
            for row in self.duck.execute("select distinct part_no from found order by 1").fetchall()
        ]
        self._mark_keys(parts)
        before = self._first_seen(parts)
        written: dict[int, HeldPart] = {}
        for number in touched:
            written[number] = self._rewrite(contract, parts[number], number, mark)
        now = [written.get(number, part) for number, part in enumerate(parts)]
        self._register(now)
        after = self._first_seen(now)
        with self.connection.transaction():
            for number, part in written.items():
                _replace_part(self.connection, parts[number], part)
            for delivery, change in self._changes(contract, parts, now, before, after).items():
                change.record(self.connection, delivery)
                self._note(delivery, change.loaded + change.duplicate)
        reach("erase.parts_replaced")

    def _rewrite(self, contract: Contract, part: "HeldPart", number: int, mark: str) -> "HeldPart":
        """Write what is left of a part to its new place."""
        duck = self.duck
        duck.execute("create or replace temp table here as select * from found")
        duck.execute("delete from here where part_no <> ?", [number])
        file = self.folder / "left.parquet"
        source = f"read_parquet({literal(self.lake.location(part.path))})"
        held = [row[0] for row in duck.execute(f"describe select * from {source}").fetchall()]  # noqa: S608
        left = select_left(contract, "here", held)
        row = duck.execute(
            f"copy (select {left} from {source}"  # noqa: S608 - contracts
            " where _row_number not in (select _row_number from here where is_own))"
            f" to {literal(str(file))} (format parquet, compression zstd,"
            f" row_group_size {_ROWS_PER_GROUP})"
        ).fetchone()
        path = _path_without(part.path, mark)
        self.lake.place(file, path)
        reach("erase.part_placed")
        return HeldPart(path, part.delivery_id, int(row[0]) if row else 0)

    def _mark_keys(self, parts: list["HeldPart"]) -> None:
        """Write temp table keys_gone: key hashes of rows that go, anywhere."""
        files = ", ".join(literal(self.lake.location(part.path)) for part in parts)
        self.duck.execute(
            "create or replace temp table keys_gone as"  # noqa: S608 - our own
            " select distinct part._key_hash as h"
            f" from read_parquet([{files}], filename = true, union_by_name = true) as part"
            " join places on places.place = part.filename"
            " semi join (select * from found where is_own) as gone"
            " on gone.part_no = places.part_no and gone._row_number = part._row_number"
        )

    def _first_seen(self, parts: list["HeldPart"]) -> Mapping[int, int]:
        """By part how many of the keys that go occur there first."""
        files = ", ".join(literal(self.lake.location(part.path)) for part in parts)
        return dict(
            self.duck.execute(
                "select part_no, count(*) from (select _key_hash, min(part_no) as part_no"  # noqa: S608
                f" from read_parquet([{files}], filename = true, union_by_name = true) as part"
                " join places on places.place = part.filename"
                " where _key_hash in (select h from keys_gone) group by _key_hash) group by part_no"
            ).fetchall()
        )

    def _changes(
        self,
        contract: Contract,
        parts: list["HeldPart"],
        now: list["HeldPart"],
        before: Mapping[int, int],
        after: Mapping[int, int],
    ) -> dict[str, "_Change"]:
        """By delivery how its counts change, and whether its file names the person."""
        changes: dict[str, _Change] = {}
        for number, (old, new) in enumerate(zip(parts, now, strict=True)):
            gone = old.rows - new.rows
            loaded = gone
            if contract.is_immutable:
                loaded = before.get(number, 0) - after.get(number, 0)
            if old.path != new.path or loaded:
                change = changes.get(old.delivery_id, _Change())
                changes[old.delivery_id] = _Change(
                    change.loaded + loaded,
                    change.duplicate + gone - loaded,
                    change.is_named or old.path != new.path,
                )
        return changes


@dataclass(frozen=True)
class HeldPart:
    """A part that counts."""

    path: str
    delivery_id: str
    rows: int


@dataclass(frozen=True)
class _Change:
    """Rows of a delivery that were loaded or duplicate and are suppressed now."""

    loaded: int = 0
    duplicate: int = 0
    is_named: bool = False

    def record(self, connection: psycopg.Connection, delivery_id: str) -> None:
        connection.execute(
            "update ledger.deliveries set rows_loaded = rows_loaded - %(loaded)s,"
            " rows_duplicate = rows_duplicate - %(duplicate)s,"
            " rows_suppressed = rows_suppressed + %(loaded)s + %(duplicate)s"
            " where delivery_id = %(id)s",
            {"loaded": self.loaded, "duplicate": self.duplicate, "id": delivery_id},
        )
        if self.is_named:
            mark_named(connection, delivery_id)


def mark_named(connection: psycopg.Connection, delivery_id: str) -> None:
    """Remember that the file of a delivery, as it was delivered, holds what has to be gone."""
    connection.execute(
        "insert into erasure.named_files (delivery_id) values (%s) on conflict do nothing",
        [delivery_id],
    )


def _replace_part(connection: psycopg.Connection, old: HeldPart, new: HeldPart) -> None:
    connection.execute(
        "update ledger.parts set part = %s, rows = %s where part = %s",
        [new.path, new.rows, old.path],
    )
    connection.execute(
        "update ledger.deliveries set part = %s where part = %s", [new.path, old.path]
    )


def _path_without(path: str, mark: str) -> str:
    """Where a part stands once it is written anew for what `mark` tells: a letter and digits."""
    stem = re.sub(r"-[a-z]\d+$", "", path.removesuffix(".parquet"))
    return f"{stem}-{mark}.parquet"


@contextmanager
def wanted(duck: "DuckDBPyConnection", values: pa.Table) -> Iterator[None]:
    """The temp table `wanted` for as long as the block runs."""
    duck.register("values_wanted", values)
    duck.execute("create or replace temp table wanted as select distinct * from values_wanted")
    duck.unregister("values_wanted")
    try:
        yield
    finally:
        duck.execute("drop table wanted")
