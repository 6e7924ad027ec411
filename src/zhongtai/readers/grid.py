"""A block of rows of a sheet as columns of text, whichever way the sheet was read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

ROWS_PER_GRID = 16384
# The header is looked for before anything is read, so the first grid is small.
_ROWS_OF_FIRST_GRID = 64
# From here on a number has more digits than a spreadsheet keeps.
_MOST_WHOLE = 1e15
BASE_1900 = np.datetime64("1899-12-30", "ms")
BASE_1904 = np.datetime64("1904-01-01", "ms")
_MS_PER_DAY = 86_400_000


@dataclass
class Grid:
    """Rows with their 1-based numbers on the sheet.

    `columns` holds a string array per sheet column, empty text where a cell is empty; `is_number`
    tells for each column which cells are numbers without a date format (None: none is). `filled`
    are the positions of the columns that may hold anything, None where that is not known.
    """

    numbers: Any
    columns: list[Any]
    is_number: list[Any]
    filled: list[int] | None = None

    @property
    def filled_columns(self) -> list[Any]:
        """The columns that may hold anything, from the left."""
        if self.filled is None:
            return self.columns
        return [self.columns[position] for position in self.filled]

    def rows_before(self, count: int) -> Iterator[tuple[int, list[str]]]:
        """The first rows as lists of text, with their numbers."""
        texts = [column.slice(0, count).to_pylist() for column in self.columns]
        for place, number in enumerate(self.numbers[:count].tolist()):
            yield number, [column[place] for column in texts]


def read_grids(read: Callable[[int], Sequence[Sequence[Any]]], unused: int) -> Iterator[Grid]:
    """Grids of the rows, cells as Python values, that `read` hands over so many at a time.

    `unused` columns at the left are left out of them.
    """
    number, size = 1, _ROWS_OF_FIRST_GRID
    while block := read(size):
        columns = [pa.array([""] * len(block), pa.string())] * unused
        is_number: list[Any] = [None] * unused
        for cells in zip(*block, strict=True):
            texts, are_numbers = _read_column(cells)
            columns.append(texts)
            is_number.append(are_numbers)
        yield Grid(np.arange(number, number + len(block), dtype=np.int64), columns, is_number)
        number, size = number + len(block), ROWS_PER_GRID


def _read_column(cells: Sequence[Any]) -> tuple[Any, Any]:
    """The cells as texts, and which are numbers (None: none is)."""
    kinds = set(map(type, cells))
    if kinds == {str}:
        return pa.array(cells, pa.string()), None
    is_number = np.array([type(cell) in (float, int) for cell in cells], bool)
    if kinds <= {float, str}:
        whole = np.array([cell for cell in cells if type(cell) is float])
        if np.all((whole % 1 == 0) & (np.abs(whole) < _MOST_WHOLE)):
            return _join_whole(whole, cells, is_number), is_number
    texts = pa.array([cell_text(cell) for cell in cells], pa.string())
    return texts, is_number if is_number.any() else None


def _join_whole(whole: Any, cells: Sequence[Any], is_number: Any) -> Any:
    """The texts of whole numbers and of the cells that are texts, in their order."""
    numbers = pa.array(whole.astype(np.int64)).cast(pa.string())
    texts = pa.array([cell for cell in cells if type(cell) is str], pa.string())
    places = np.empty(len(cells), np.int64)
    places[is_number] = np.arange(len(numbers))
    places[~is_number] = len(numbers) + np.arange(len(texts))
    return pa.concat_arrays([numbers, texts]).take(pa.array(places))


def cell_text(cell: Any) -> str:
    """A cell as text: numbers without float noise, times as ISO text."""
    if type(cell) is str:
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float | int):
        # a spreadsheet keeps 15 digits
        return (
            f"{Decimal(f'{cell:.15g}'):f}"
            if cell % 1 or abs(cell) >= _MOST_WHOLE
            else str(int(cell))
        )
    if isinstance(cell, date | time | timedelta):
        return _time_text(cell)
    return "" if cell is None else str(cell)


def _time_text(cell: date | time | timedelta) -> str:
    """A time cell: a moment or day as ISO text to the second, a duration in hours."""
    if isinstance(cell, datetime):
        rounded = cell + timedelta(microseconds=500)
        return rounded.isoformat(" ", "milliseconds" if rounded.microsecond >= 1000 else "seconds")
    if isinstance(cell, date):
        return f"{cell.isoformat()} 00:00:00"
    if isinstance(cell, time):
        return cell.isoformat("seconds")
    minutes, seconds = divmod(round(cell.total_seconds()), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def serial_texts(serials: Any, *, is_1904: bool) -> Any:
    """Spreadsheet serials (float64 ndarray, days) as ISO text, to the millisecond if need be."""
    base = BASE_1904 if is_1904 else BASE_1900
    moments = base + np.rint(serials * _MS_PER_DAY).astype("timedelta64[ms]")
    values = np.ascontiguousarray(moments.astype(np.int64))
    exact = pa.Array.from_buffers(pa.timestamp("ms"), len(values), [None, pa.py_buffer(values)])
    texts = exact.cast(pa.string()).to_pylist()
    return pa.array([text.removesuffix(".000") for text in texts], pa.string())
