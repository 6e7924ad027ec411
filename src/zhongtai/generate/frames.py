"""Rows of an entity before anything is spelled: typed columns under delivered names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from zhongtai.generate.catalogue import Entity, entities
from zhongtai.generate.draws import MISSING, Array, rows_of
from zhongtai.generate.timeline import Timeline

NOBODY = -1
# Fates of manual tags; the first is known when persons are.
SHARED_VALUE, UNKNOWN_TAG = "shared_value", "unknown_tag"
TYPES: dict[str, pa.DataType] = {
    "ts": pa.timestamp("s"),
    "date": pa.date32(),
    "ms": pa.int64(),
    "yuan": pa.int64(),
    "fen": pa.int64(),
    "int": pa.int64(),
    "num": pa.float64(),
    "bool": pa.bool_(),
}


@dataclass
class Frame:
    """Row versions of one entity, in export order.

    `table` has typed columns: times in UTC seconds, money in fen. `person` and `organisation`
    are indexes into the world or `NOBODY`; `batch` is the day of the export; `fate` is empty for
    a good row, else the reason why it must be quarantined. `evidence` holds, for event entities,
    the identifier values of each row by (identifier type, scope). `spelt` holds texts that stand
    in the file instead of a value, by column; null where nothing else does.
    """

    entity: Entity
    table: pa.Table
    person: Array
    organisation: Array
    batch: Array
    fate: Array
    evidence: dict[tuple[str, str], pa.Array] = field(default_factory=dict)
    spelt: dict[str, pa.Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def is_good(self) -> Array:
        """Which rows are to be loaded."""
        return loads(self.fate)

    def replace_column(self, name: str, values: pa.Array) -> None:
        """Put other values into a column."""
        place = self.table.schema.get_field_index(name)
        self.table = self.table.set_column(place, self.table.schema.field(place), values)


def loads(fates: Array) -> Array:
    """Return which fates are those of rows that load."""
    return np.asarray(fates == "")


def typed(values: Any, kind: str) -> pa.Array:
    """Return a column of its kind's type; `MISSING` in integer arrays becomes null."""
    form = TYPES.get(kind, pa.string())
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values if values.type == form else values.cast(form)
    if isinstance(values, np.ndarray) and values.dtype.kind == "i":
        gone = values == MISSING
        if kind == "date":
            return pa.array(np.where(gone, 0, values).astype(np.int32), mask=gone).cast(form)
        return pa.array(np.where(gone, 0, values), mask=gone).cast(form)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values)).cast(form)
    return pa.array(values, type=form)


def build_frame(
    name: str,
    columns: Mapping[str, Any],
    person: Array | None = None,
    batch: Array | None = None,
    organisation: Array | None = None,
) -> Frame:
    """Return the frame of entity `name`; a constant string fills its column, an absent one is null.

    Rows whose batch is negative are left out: they lie beyond the end of the world.
    """
    entity = entities()[name]
    unknown = set(columns) - set(entity.columns)
    if unknown:
        raise KeyError(f"{name} has no columns {sorted(unknown)}")
    count = max(len(value) for value in columns.values() if not isinstance(value, str))
    arrays = []
    for column, kind in entity.columns.items():
        value = columns.get(column)
        if value is None or isinstance(value, str):
            arrays.append(pa.repeat(pa.scalar(value, TYPES.get(kind, pa.string())), count))
        else:
            arrays.append(typed(value, kind))
    nobody = np.full(count, NOBODY, dtype=np.int64)
    frame = Frame(
        entity=entity,
        table=pa.Table.from_arrays(arrays, names=list(entity.columns)),
        person=nobody if person is None else person,
        organisation=nobody if organisation is None else organisation,
        batch=np.zeros(count, dtype=np.int64) if batch is None else batch,
        fate=np.full(count, "", dtype=object),
    )
    return select_rows(frame, np.flatnonzero(frame.batch >= 0))


def select_rows(frame: Frame, rows: Array) -> Frame:
    """Return the frame of these rows."""
    return Frame(
        entity=frame.entity,
        table=frame.table.take(pa.array(rows)),
        person=frame.person[rows],
        organisation=frame.organisation[rows],
        batch=frame.batch[rows],
        fate=frame.fate[rows],
        evidence={kind: rows_of(values, rows) for kind, values in frame.evidence.items()},
        spelt={name: rows_of(texts, rows) for name, texts in frame.spelt.items()},
    )


@dataclass(frozen=True)
class Versions:
    """Which things each export shows: `row` is the thing, `batch` the export's day."""

    row: Array
    batch: Array
    cut: Array

    def seen(self, times: Array) -> Array:
        """Return the times of the rows that had happened by their export, else `MISSING`."""
        shown = times[self.row]
        return np.where(shown <= self.cut, shown, MISSING)

    def latest(self, *times: Array) -> Array:
        """Return the newest of several times that had happened by the export."""
        return np.asarray(np.max([self.seen(time) for time in times], axis=0))

    def take(self, values: Any) -> Any:
        """Return values per thing as values per row; a constant stays one."""
        if isinstance(values, str):
            return values
        if isinstance(values, np.ndarray):
            return values[self.row]
        return rows_of(values, self.row)


def versions_of(timeline: Timeline, cadence: int, *times: Array) -> Versions:
    """Return one row per thing and export in which one of its times falls, oldest export first."""
    batches = np.stack([timeline.batch_of(time, cadence) for time in times])
    rows = np.broadcast_to(np.arange(batches.shape[1]), batches.shape)
    width = len(times[0]) + 1
    pairs = np.unique((batches * width + rows)[batches >= 0])
    batch, row = pairs // width, pairs % width
    return Versions(row=row, batch=batch, cut=timeline.exported_at(batch))
