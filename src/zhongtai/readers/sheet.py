"""Workbooks: every visible sheet with the contract's header, cells as the text a person reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zhongtai.contracts import Contract
from zhongtai.readers.header import (
    HEADER_SEARCH_ROWS,
    Header,
    build_header,
    count_matches,
    find_header,
    is_blank,
    is_totals,
    note_columns,
)
from zhongtai.readers.records import FileRejected, Note, Rejects, objects_of, row_batch
from zhongtai.readers.workbook import Workbook, check_workbook

_ROWS_PER_BATCH = 16384
# Spreadsheet serials from 1954 to 2119: other numbers in a time column are no serials.
_SERIALS = (20000.0, 80000.0)
_BASE_1900 = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets hold local times without a zone
_BASE_1904 = datetime(1904, 1, 1)  # noqa: DTZ001


@dataclass(frozen=True)
class _Sheet:
    """A visible sheet: its rows, where its header is, and where its rows begin in the file."""

    name: str
    rows: Any
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
        self._sheets = self._find_sheets(_open(self._book))
        self._totals = 0

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order, sheet after sheet; row numbers go on from sheet to sheet."""
        base = 0
        for sheet in self._sheets:
            rows = islice(sheet.rows.iter_rows(), sheet.header_row + 1, None)
            number = base + sheet.header_row + 2
            while block := list(islice(rows, _ROWS_PER_BATCH)):
                yield from self._build(sheet, block, number)
                number += len(block)
            base += sheet.rows.total_height
        if self._totals:
            self.notes.append(Note("totals_row", "a totals row is no row", rows=self._totals))

    def _find_sheets(self, book: Any) -> list[_Sheet]:
        from python_calamine import SheetTypeEnum, SheetVisibleEnum

        found: list[_Sheet] = []
        failure: FileRejected | None = None
        is_empty = True
        for position, meta in enumerate(book.sheets_metadata):
            if meta.typ != SheetTypeEnum.WorkSheet:
                continue
            if meta.visible != SheetVisibleEnum.Visible:
                self._skip(meta.name, "the sheet is hidden")
                continue
            rows = _sheet_rows(book, position)
            head = [[cell_text(cell) for cell in row] for row in islice(
                rows.iter_rows(), HEADER_SEARCH_ROWS)]  # fmt: skip
            is_empty = is_empty and all(is_blank(cell) for row in head for cell in row)
            at = find_header(self.contract, head)
            if at < 0:
                self._skip(meta.name, "the sheet does not have the header of the contract")
                continue
            try:
                header = build_header(self.contract, head[at])
            except FileRejected as error:
                failure = failure or error
                self._skip(meta.name, "the sheet lacks required columns")
                continue
            found.append(_Sheet(meta.name, rows, header, at))
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

        rows = count_rows(self.contract, self._path)
        expected = ", ".join(column.delivered for column in self.contract.columns)
        error = failure or FileRejected(
            "required_column_missing",
            f"no visible sheet has a header in its first {HEADER_SEARCH_ROWS} rows; "
            f"expected {expected}",
            hint="deliver the workbook with its header row",
        )
        error.rows_in = rows
        return error

    def _build(
        self, sheet: _Sheet, block: list[list[Any]], number: int
    ) -> Iterator[pa.RecordBatch]:
        header = sheet.header
        kept = [
            place for place, row in enumerate(block) if self._is_row(row, header, number + place)
        ]
        if not kept:
            return
        columns = list(zip(*(block[place] for place in kept), strict=True))
        types = {column.delivered: column.type for column in self.contract.columns}
        texts = {
            name: self._texts(columns[position], types[name])
            for name, position in header.positions.items()
        }
        extras = {name: self._texts(columns[at], "") for name, at in header.extras.items()}
        yield row_batch(
            self.contract,
            texts,
            np.array(kept, np.int64) + number,
            extra=objects_of(extras) if extras else None,
        )

    def _is_row(self, row: list[Any], header: Header, number: int) -> bool:
        """Whether a record is to be loaded; a repeated header is rejected, others are no rows."""
        first = next((cell for cell in row if not (isinstance(cell, str) and is_blank(cell))), None)
        if first is None:
            return False
        if not isinstance(first, str):
            return True
        if is_totals([first]):
            self._totals += 1
            return False
        if first.strip() == header.names[0] or first.strip() in header.positions:
            texts = [cell_text(cell) for cell in row]
            if count_matches(self.contract, texts) == len(header.positions):
                self._rejects.add(
                    [number], "repeated_header", "the record is the header again",
                    ["\t".join(texts)],
                )  # fmt: skip
                return False
        return True

    def _texts(self, cells: tuple[Any, ...], kind: str) -> Any:
        """A column of cells as a string array; serials in time columns become times."""
        if any(type(cell) is not str for cell in cells):
            if kind in ("ts", "date"):
                base = _BASE_1904 if self._book.is_1904 else _BASE_1900
                cells = tuple(_serial_time(cell, base) for cell in cells)
            return pa.array([c if type(c) is str else cell_text(c) for c in cells], pa.string())
        return pa.array(cells, pa.string())


def cell_text(cell: Any) -> str:
    """A cell as text: numbers without float noise, times as ISO text."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float | int):
        # a spreadsheet keeps 15 digits
        return f"{Decimal(f'{cell:.15g}'):f}" if cell % 1 or abs(cell) >= 1e15 else str(int(cell))
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


def _serial_time(cell: Any, base: datetime) -> Any:
    """A bare number in a time column is a serial, counted in days from the workbook's base."""
    is_number = isinstance(cell, float | int) and not isinstance(cell, bool)
    if is_number and _SERIALS[0] <= cell <= _SERIALS[1]:
        return base + timedelta(days=float(cell))
    return cell


def _open(book: Workbook) -> Any:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(book.path)
    except (CalamineError, OSError) as error:
        raise FileRejected("unreadable", f"not a readable workbook ({error})") from error


def _sheet_rows(book: Any, position: int) -> Any:
    from python_calamine import CalamineError

    try:
        return book.get_sheet_by_index(position)
    except (CalamineError, OSError) as error:
        raise FileRejected("unreadable", f"a sheet cannot be read ({error})") from error
