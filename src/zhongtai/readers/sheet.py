"""Workbooks: every visible sheet with the contract's header, cells as the text a person reads."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.readers.ahead import produce_ahead
from zhongtai.readers.bytestream import in_words
from zhongtai.readers.foreignbook import ForeignBook
from zhongtai.readers.grid import Grid, serial_texts
from zhongtai.readers.header import (
    BLANK_CHARACTERS,
    HEADER_SEARCH_ROWS,
    TOTALS_WORDS,
    Header,
    build_header,
    count_matches,
    find_header,
    is_totals,
    names_enough,
    note_columns,
)
from zhongtai.readers.records import (
    FileRejected,
    Note,
    Rejects,
    int64_array,
    objects_of,
    row_batch,
    truth,
)
from zhongtai.readers.sheetparts import list_sheets, read_shared_texts, read_styles
from zhongtai.readers.sheetxml import Unusual, read_xml_grids
from zhongtai.readers.workbook import Workbook, check_workbook

# Serials from 1954 to 2119: other numbers in a time column are no serials.
_SERIALS = (20000.0, 80000.0)
_GROUP_ROWS, _GROUP_BYTES = 32_768, 32 << 20
_BLANK = f"^[{BLANK_CHARACTERS}\r\n]*$"


# Name, visibility and a way to read a worksheet from its start.
_Found = tuple[str, bool, Callable[[], Iterator[Grid]]]


@dataclass(frozen=True)
class _Sheet:
    """A visible sheet and where its header is; `grids` reads it from the start."""

    name: str
    grids: Callable[[], Iterator[Grid]]
    header: Header
    header_row: int


class SheetReader:
    """Reads one workbook."""

    def __init__(self, contract: Contract, path: Path) -> None:
        """Find the sheets; raises FileRejected where none has the contract's header."""
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        self._book = check_workbook(path)
        with _damage_rejects():
            self._sheets = self._find_sheets()
        self._totals = 0

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order, sheet after sheet; row numbers go on from sheet to sheet."""
        return produce_ahead(_grouped(self._produce()))

    def _produce(self) -> Iterator[pa.RecordBatch]:
        base = last = 0
        for sheet in self._sheets:
            with _damage_rejects():
                for grid in sheet.grids():
                    last = base + int(grid.numbers[-1])
                    yield from self._rows_of(grid, sheet, base)
            base = last
        if self._totals:
            self.notes.append(Note("totals_row", "a totals row is no row", rows=self._totals))

    def _find_sheets(self) -> list[_Sheet]:
        found: list[_Sheet] = []
        failure: FileRejected | None = None
        is_empty = True
        sheets = list(_open_sheets(self._book))
        if not sheets:
            raise FileRejected("unreadable", "the workbook has no worksheet")
        for name, is_visible, grids in sheets:
            if not is_visible:
                self._skip(name, "the sheet is hidden")
                continue
            head = _head(grids())
            is_empty = is_empty and not any(cell for _, row in head for cell in row)
            at = find_header(self.contract, [row for _, row in head])
            if at < 0:
                self._skip(name, "the sheet does not have the header of the contract")
                continue
            try:
                header = build_header(self.contract, head[at][1])
            except FileRejected as error:
                if names_enough(self.contract, head[at][1]):
                    # left out beside a good sheet, its rows would be in no count
                    raise self._reject_file(error) from error
                failure = failure or error
                self._skip(name, "the sheet lacks required columns")
                continue
            found.append(_Sheet(name, grids, header, head[at][0]))
            self.notes += [n for n in note_columns(self.contract, header) if n not in self.notes]
        if not found and not is_empty:
            raise self._reject_file(failure)
        if not found:
            self.notes.append(Note("empty_file", "the workbook holds no record"))
        return found

    def _skip(self, name: str, reason: str) -> None:
        self.notes.append(Note("sheet_skipped", reason, name))

    def _reject_file(self, failure: FileRejected | None) -> FileRejected:
        from zhongtai.readers.counting import count_rows

        expected = ", ".join(column.delivered for column in self.contract.columns)
        error = failure or FileRejected(
            "required_column_missing",
            f"no visible sheet has a header in its first {HEADER_SEARCH_ROWS} rows; "
            f"expected {expected}",
        )
        error.rows_in = count_rows(self.contract, self._path)
        return error

    def _rows_of(self, grid: Grid, sheet: _Sheet, base: int) -> Iterator[pa.RecordBatch]:
        """Sort the rows of a grid into good ones, rejects and what is no row."""
        first, is_empty = _first_filled(grid)
        totals = truth(pc.match_substring_regex(first, "|".join(TOTALS_WORDS)))
        for place in np.flatnonzero(totals).tolist():
            totals[place] = is_totals([first[place].as_py()])
        is_row = (grid.numbers > sheet.header_row) & ~is_empty & ~totals
        self._totals += int((totals & (grid.numbers > sheet.header_row)).sum())
        self._reject_headers(grid, sheet, first, is_row, base)
        good = np.flatnonzero(is_row)
        if len(good):
            yield self._build(grid, sheet.header, good, base)

    def _reject_headers(
        self, grid: Grid, sheet: _Sheet, first: Any, is_row: Any, base: int
    ) -> None:
        """Take records that are the header again out of `is_row`."""
        names = next(filter(None, sheet.header.names), "")
        for place in np.flatnonzero(truth(pc.equal(first, names)) & is_row).tolist():
            texts = [column[place].as_py() for column in grid.columns]
            if count_matches(self.contract, texts) == len(sheet.header.positions):
                is_row[place] = False
                self._rejects.add(
                    [base + int(grid.numbers[place])], "repeated_header",
                    "the record is the header again", ["\t".join(texts)],
                )  # fmt: skip

    def _build(self, grid: Grid, header: Header, good: Any, base: int) -> pa.RecordBatch:
        types = {column.delivered: column.type for column in self.contract.columns}
        columns = {
            name: self._texts(grid, at, good, types[name]) for name, at in header.positions.items()
        }
        extras = {name: self._texts(grid, at, good, "") for name, at in header.extras.items()}
        return row_batch(
            self.contract,
            columns,
            grid.numbers[good] + base,
            extra=objects_of(extras) if extras else None,
        )

    def _texts(self, grid: Grid, position: int, good: Any, kind: str) -> Any:
        """A column of the good rows; serials in time columns become times."""
        if position >= len(grid.columns):
            return pa.array([""] * len(good), pa.string())
        texts = grid.columns[position]
        if len(good) < len(texts):
            texts = texts.take(int64_array(good))
        if kind not in ("ts", "date") or grid.is_number[position] is None:
            return texts
        numbers = np.flatnonzero(grid.is_number[position][good])
        serials = np.array([float(t) for t in texts.take(int64_array(numbers)).to_pylist()])
        is_serial = (serials >= _SERIALS[0]) & (serials <= _SERIALS[1])
        if not is_serial.any():
            return texts
        times = serial_texts(serials[is_serial], is_1904=self._book.is_1904)
        index = np.arange(len(texts))
        index[numbers[is_serial]] = len(texts) + np.arange(len(times))
        return pa.concat_arrays([texts, times]).take(int64_array(index))


def _grouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches: each costs a statement, however few rows it has."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        rows, size = sum(b.num_rows for b in group), sum(b.nbytes for b in group)
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.concat_batches(group)
            group = []
    if group:
        yield pa.concat_batches(group)


@contextmanager
def _damage_rejects() -> Iterator[None]:
    """Damage within the archive rejects the file."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FileRejected("unreadable", f"a damaged workbook ({in_words(error)})") from error


def _first_filled(grid: Grid) -> tuple[Any, Any]:
    """The first filled cell of each row, and which rows have none."""
    first = pa.array([""] * len(grid.numbers), pa.string())
    is_empty = np.ones(len(grid.numbers), bool)
    for column in grid.filled_columns:
        first = pc.if_else(pc.match_substring_regex(first, _BLANK), column, first)
        is_empty = truth(pc.match_substring_regex(first, _BLANK))
        if not is_empty.any():
            break
    return first, is_empty


def _head(grids: Iterator[Grid]) -> list[tuple[int, list[str]]]:
    grid = next(grids, None)
    rows = grid.rows_before(HEADER_SEARCH_ROWS) if grid else ()
    return [(number, row) for number, row in rows if number <= HEADER_SEARCH_ROWS]


def _open_sheets(book: Workbook) -> Iterator[_Found]:
    """Each worksheet: read from the XML where that is as usual, else by python-calamine."""
    if book.kind == "xlsx":
        # encodings that nobody knows are a LookupError too
        with suppress(Unusual, ParseError, ValueError, LookupError):
            return iter(_open_archive(book))
    return _open_foreign(book)


def _open_archive(book: Workbook) -> list[_Found]:
    with zipfile.ZipFile(book.path) as archive:
        shared = read_shared_texts(archive)
        styles = read_styles(archive, is_1904=book.is_1904)
        sheets = list_sheets(archive)

    def read(position: int) -> Iterator[Grid]:
        last = 0
        try:
            with zipfile.ZipFile(book.path) as opened:
                for grid in read_xml_grids(opened, sheets[position].member, shared, styles):
                    yield grid
                    last = int(grid.numbers[-1])
        except (Unusual, ValueError, LookupError):
            # references that lead nowhere, numbers that are none: the library decides
            yield from _skip_rows(ForeignBook(book.path).grids(sheets[position].name), last)

    return [
        (sheet.name, sheet.is_visible, partial(read, position))
        for position, sheet in enumerate(sheets)
    ]


def _open_foreign(book: Workbook) -> Iterator[_Found]:
    opened = ForeignBook(book.path)
    for name, is_visible in opened.sheets:
        yield name, is_visible, partial(opened.grids, name)


def _skip_rows(grids: Iterator[Grid], last: int) -> Iterator[Grid]:
    """Only rows after number `last`."""
    for grid in grids:
        kept = np.flatnonzero(grid.numbers > last)
        if len(kept) == len(grid.numbers):
            yield grid
        elif len(kept):
            columns = [column.take(int64_array(kept)) for column in grid.columns]
            is_number = [None if n is None else n[kept] for n in grid.is_number]
            yield Grid(grid.numbers[kept], columns, is_number, grid.filled)
