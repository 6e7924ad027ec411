"""Typed columns as the text that the sources write, before any dirt."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import MISSING, Array
from zhongtai.generate.frames import Frame
from zhongtai.generate.timeline import LOCAL

Override = tuple[Array, list[str]]


@dataclass
class Spelled:
    """A frame and what of it is written differently: per column the rows and their texts.

    `frame.table` is what a faultless reader makes of the file; the overrides are the file.
    """

    frame: Frame
    overrides: dict[str, list[Override]] = field(default_factory=dict)

    def write_differently(self, column: str, rows: Array, texts: list[str]) -> None:
        """Put other texts into the cells of a column."""
        self.overrides.setdefault(column, []).append((rows, texts))

    def texts(self, column: str, rows: Array) -> pa.Array:
        """Return the cells of a column as text, without nulls."""
        place = pa.array(rows)
        values = self.frame.table.column(column).take(place).combine_chunks()
        kind = self.frame.entity.columns[column]
        style = self.frame.batch[rows] % 2 == 0
        plain = pc.fill_null(spell_column(values, kind, style), "")
        found, texts = self._overridden(column, rows)
        if not len(found):
            return plain
        mask = np.zeros(len(rows), dtype=bool)
        mask[found] = True
        return pc.replace_with_mask(plain, pa.array(mask), pa.array(texts, type=pa.string()))

    def cells(self, column: str, rows: Array) -> list[Any]:
        """Return the cells of a column for a sheet: typed, except where written differently."""
        values = self.frame.table.column(column).take(pa.array(rows)).combine_chunks()
        kind = self.frame.entity.columns[column]
        cells = sheet_cells(values, kind)
        found, texts = self._overridden(column, rows)
        for place, text in zip(found, texts, strict=True):
            cells[place] = text
        return cells

    def _overridden(self, column: str, rows: Array) -> tuple[Array, list[str]]:
        """Return the places in `rows` that are written differently, ascending, and the texts."""
        written: dict[int, str] = {}
        for changed, texts in self.overrides.get(column, []):
            written.update(zip(changed.tolist(), texts, strict=True))
        if not written:
            return np.empty(0, dtype=np.int64), []
        found = np.flatnonzero(np.isin(rows, np.fromiter(written, dtype=np.int64)))
        return found, [written[int(rows[place])] for place in found]


def spell_column(values: pa.Array, kind: str, style: Array) -> pa.Array:
    """Return typed values as text; flags are 是/否 where `style` holds, else 1/0."""
    if kind == "ts":
        return pc.strftime(shift_local(values), format="%Y-%m-%d %H:%M:%S")
    if kind == "date":
        return pc.strftime(values, format="%Y-%m-%d")
    if kind == "yuan":
        return spell_yuan(values)
    if kind == "bool":
        words = pc.if_else(values, "是", "否")
        return pc.if_else(pa.array(style), words, pc.if_else(values, "1", "0"))
    if kind == "num":
        whole = pc.cast(values, pa.int64(), safe=False).cast(pa.string())
        return pc.if_else(pc.equal(pc.floor(values), values), whole, values.cast(pa.string()))
    return values.cast(pa.string())


def shift_local(values: pa.Array) -> pa.Array:
    """Return UTC times as naive local ones."""
    return pc.add(values, pa.scalar(LOCAL, pa.duration("s")))


def spell_yuan(fen: pa.Array) -> pa.Array:
    """Return amounts in fen as yuan with two decimals."""
    numbers = pc.fill_null(fen, MISSING).to_numpy()
    size = np.abs(numbers)
    sign = pa.array(np.where(numbers < 0, "-", ""))
    cents = pc.utf8_lpad(pa.array(size % 100).cast(pa.string()), 2, "0")
    whole = pa.array(size // 100).cast(pa.string())
    text = pc.binary_join_element_wise(sign, whole, ".", cents, "")
    return pc.if_else(fen.is_valid(), text, pa.scalar(None, pa.string()))


def sheet_cells(values: pa.Array, kind: str) -> list[Any]:
    """Return typed values as cells of a sheet: local times, yuan, texts."""
    if kind == "ts":
        return list(shift_local(values).to_pylist())
    if kind == "yuan":
        return [None if value is None else value / 100 for value in values.to_pylist()]
    return list(values.to_pylist())
