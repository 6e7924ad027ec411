"""Finding rows that name erased persons: in batches by tombstones, in parts by plain values.

Everything is one query over a relation. A naming is known by its number in `list_namings`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.erasure.key import Key, mac_sql
from zhongtai.erasure.naming import ANYTHING, Naming, list_namings
from zhongtai.erasure.texts import list_words_of
from zhongtai.ingest.rules import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOMBSTONES_SCHEMA = pa.schema([("mac", pa.string()), ("until", pa.timestamp("us"))])
WANTED_SCHEMA = pa.schema([("kind", pa.string()), ("value", pa.string())])
_TOMBSTONES = "erased"


def named_sql(namings: Sequence[Naming], relation: str, row: str) -> str:
    """SQL: what the rows of a relation name; columns `row`, number, kind, value."""
    told = ", ".join(
        f"{{'number': {number}, 'kind': {literal(naming.kind)}, 'value': {naming.value}}}"
        for number, naming in enumerate(namings)
    )
    return (
        f"select {row}, told.number, told.kind, told.value"  # noqa: S608 - contracts
        f" from (select {row}, unnest([{told}]) as told from {relation})"
        " where told.value <> ''"
    )


def wanted_rows_sql(namings: Sequence[Naming], relation: str, row: str) -> str:
    """SQL: `row` and number of what names a value of the relation `wanted` (kind, value)."""
    return (
        f"select distinct {row}, number from ({named_sql(namings, relation, row)})"  # noqa: S608
        " semi join wanted using (kind, value)"
    )


@dataclass(frozen=True)
class Suppressed:
    """What is left of a batch: which rows stay (None: all), and the batch with cells emptied."""

    batch: pa.RecordBatch
    stays: "pa.BooleanArray | None" = None


class Suppressor:
    """Keeps erased persons out of what is delivered; for one thread with its own connection.

    Without a tombstone nothing is looked at.
    """

    def __init__(self, key: Key | None, tombstones: pa.Table) -> None:
        self._pads = key.pads if key else {}
        self._tombstones = tombstones

    @property
    def is_needed(self) -> bool:
        """Whether anybody was erased."""
        return bool(self._tombstones.num_rows)

    def apply(
        self,
        duck: "DuckDBPyConnection",
        contract: Contract,
        batch: pa.RecordBatch,
        event_at: "pa.TimestampArray",
    ) -> Suppressed:
        """Take out rows of erased persons and empty the cells that name them.

        `event_at`: when each row happened (naive UTC), where its contract says so.
        """
        if not self.is_needed or not batch.num_rows:
            return Suppressed(batch)
        namings = list_namings(contract)
        found = self._find(duck, namings, batch, event_at)
        if not found.num_rows:
            return Suppressed(batch)
        own = [number for number, naming in enumerate(namings) if naming.is_own]
        mine = pc.is_in(found["number"], pa.array(own, found["number"].type))
        positions = pa.array(range(batch.num_rows), pa.int64())
        gone = pc.is_in(positions, found.filter(mine)["position"].combine_chunks())
        passing = found.filter(pc.invert(mine))
        for number in pc.unique(passing["number"]).to_pylist():
            rows = passing.filter(pc.equal(passing["number"], number))["position"]
            named = pc.is_in(positions, rows.combine_chunks())
            for cell, left in namings[number].cells:
                batch = _empty(duck, batch, cell, left, named)
        return Suppressed(batch, pc.invert(gone))

    def find_in_texts(self, duck: "DuckDBPyConnection", texts: "pa.Array") -> "pa.BooleanArray":
        """Which of these texts, that no reader could take apart, name somebody who was erased."""
        told = [
            (position, word)
            for position, text in enumerate(texts.to_pylist() if self.is_needed else [])
            for word in list_words_of(text or "")
        ]
        positions, words = zip(*told, strict=True) if told else ((), ())
        known = self._find_words(duck, words)
        named = [position for position, word in zip(positions, words, strict=True) if word in known]
        return pc.is_in(pa.array(range(len(texts)), pa.int64()), pa.array(named, pa.int64()))

    def knows(self, duck: "DuckDBPyConnection", words: Collection[str]) -> bool:
        """Whether one of these words, each in any spelling, is about somebody who was erased."""
        return bool(self._find_words(duck, words))

    def _find_words(self, duck: "DuckDBPyConnection", words: Collection[str]) -> set[str]:
        if not self.is_needed or not words:
            return set()
        duck.register("words", pa.table({"word": pa.array(set(words), pa.string())}))
        self._register(duck)
        try:
            rows = duck.execute(
                f"select word from words where {mac_sql(literal(ANYTHING), 'word')} in"  # noqa: S608
                f" (select mac from {_TOMBSTONES})",
                self._pads,
            ).fetchall()
        finally:
            duck.unregister("words")
            duck.unregister(_TOMBSTONES)
        return {row[0] for row in rows}

    def _find(
        self,
        duck: "DuckDBPyConnection",
        namings: Sequence[Naming],
        batch: pa.RecordBatch,
        event_at: "pa.TimestampArray",
    ) -> pa.Table:
        """Position and number of each naming of somebody who was erased."""
        table = pa.Table.from_batches([batch])
        positions = pa.array(range(batch.num_rows), pa.int64())
        table = table.append_column("_position", positions).append_column("_event_at", event_at)
        duck.register("delivered", table)
        self._register(duck)
        lasting = [number for number, naming in enumerate(namings) if naming.lasts]
        try:
            return duck.execute(
                "with named as materialized"  # noqa: S608 - contracts
                f" ({named_sql(namings, 'delivered', '_position, _event_at')}),"
                " spoken as (select distinct kind, value from named),"
                f" hit as (select s.kind, s.value, e.until from spoken as s join {_TOMBSTONES} as e"
                f" on e.mac = {mac_sql('s.kind', 's.value')})"
                " select distinct named._position as position, named.number from named"
                " join hit using (kind, value) where list_contains($lasting, named.number)"
                " or named._event_at is null or named._event_at <= hit.until",
                {**self._pads, "lasting": lasting},
            ).to_arrow_table()
        finally:
            duck.unregister("delivered")
            duck.unregister(_TOMBSTONES)

    def _register(self, duck: "DuckDBPyConnection") -> None:
        duck.register(_TOMBSTONES, self._tombstones)


NOBODY = Suppressor(None, TOMBSTONES_SCHEMA.empty_table())


def _empty(
    duck: "DuckDBPyConnection",
    batch: pa.RecordBatch,
    cell: str,
    left: str,
    named: "pa.BooleanArray",
) -> pa.RecordBatch:
    """The batch with a cell of some rows replaced by the SQL `left`."""
    at = batch.schema.get_field_index(cell)
    duck.register("emptied", pa.Table.from_batches([batch.filter(named)]))
    try:
        query = f"select {left}::varchar as cell from emptied"  # noqa: S608 - contracts
        replaced = duck.execute(query).to_arrow_table()["cell"].combine_chunks()
    finally:
        duck.unregister("emptied")
    column = pc.replace_with_mask(batch.column(at), named, replaced)
    return batch.set_column(at, batch.schema.field(at), column)


def select_left(contract: Contract, table: str, held: Collection[str]) -> str:
    """SQL: the columns `held` by a part, with the cells emptied that `table` lists.

    `table` has the columns _row_number and number (of a naming) for one part.
    """
    emptied: dict[str, str] = {}
    for number, naming in enumerate(list_namings(contract)):
        for cell, left in naming.cells:
            if cell not in held:
                continue
            expression = emptied.get(cell, quoted(cell))
            is_named = f"_row_number in (select _row_number from {table} where number = {number})"  # noqa: S608
            emptied[cell] = f"case when {is_named} then {left} else {expression} end"
    listed = ", ".join(f"({sql})::varchar as {quoted(cell)}" for cell, sql in emptied.items())
    return f"* replace ({listed})" if listed else "*"
