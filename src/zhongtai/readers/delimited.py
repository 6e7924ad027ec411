"""Delimited text: any listed encoding, either way of quoting, whatever stands above the header."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.readers.bytestream import StreamError
from zhongtai.readers.encoding import Encoding, TextLines, decide_encoding, read_text
from zhongtai.readers.header import (
    BLANK_CHARACTERS,
    HEADER_SEARCH_ROWS,
    TOTALS_WORDS,
    Header,
    build_header,
    count_matches,
    find_header,
    is_totals,
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
from zhongtai.readers.structure import Grammar, Records, split_records

_HEAD_BYTES = 256 << 10
_OTHER_DELIMITERS = ",\t;|"
_BLANKS = BLANK_CHARACTERS + "\r\n"
# A text with such a character has a filled field.
_FILLED = rf"[^{_BLANKS},;|\"]"
_SUSPECT = np.zeros(256, bool)
_SUSPECT[[char.encode()[0] for char in (*_BLANKS, *TOTALS_WORDS)]] = True


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out. `header` None: the file holds no record at all.

    `lines` is how many physical lines come before the first record, the header's included.
    `width` counts the header's cells, nameless ones at its end too.
    """

    encoding: Encoding
    delimiter: str
    record: tuple[str, ...]
    lines: int
    width: int


def find_layout(contract: Contract, path: Path) -> Layout | None:
    """Where the header is and what separates its names; None for a file without any record.

    A layout without a recognised header has an empty `record`; its first line is then skipped.
    """
    encoding = decide_encoding(path, contract.encodings)
    text = _head(path, encoding)
    if not text.strip(BLANK_CHARACTERS + "\r\n"):
        return None
    own = contract.dialect.delimiter
    for delimiter in dict.fromkeys(own + _OTHER_DELIMITERS):
        records, lines = _parse_head(contract, text, delimiter)
        position = find_header(contract, records)
        if position >= 0:
            record = tuple(records[position])
            return Layout(encoding, delimiter, record, lines[position], len(record))
    records, lines = _parse_head(contract, text, own)
    first = next((i for i, r in enumerate(records) if any(c.strip() for c in r)), 0)
    return Layout(encoding, own, (), lines[first], len(records[first]))


def _head(path: Path, encoding: Encoding) -> str:
    """The beginning of the text."""
    try:
        for lines in read_text(path, encoding, returns=True):
            return lines.data[:_HEAD_BYTES].decode("utf-8", "ignore")
    except StreamError:
        return ""
    return ""


def _parse_head(contract: Contract, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The first records of a text, and the number of physical lines up to the end of each."""
    dialect = contract.dialect
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=dialect.quotechar,
        escapechar=dialect.escapechar,
        doublequote=dialect.escapechar is None,
    )
    records, lines = [], []
    try:
        for row in rows:
            records.append(row)
            lines.append(rows.line_num)
            if len(records) >= HEADER_SEARCH_ROWS:
                break
    except csv.Error:
        # a cell beyond the csv module's bound: no header is that long, what came before counts
        pass
    return records or [[]], lines or [1]


class DelimitedReader:
    """Reads one delimited file."""

    def __init__(self, contract: Contract, path: Path) -> None:
        """Find the header; raises FileRejected where there is none, or a wrong one."""
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        self._layout = find_layout(contract, path)
        self._header = self._check_layout()
        self._totals = 0

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the stream breaks off."""
        if self._layout is None or self._header is None:
            return
        try:
            yield from self._read(self._layout, self._header)
        except StreamError as error:
            raise FileRejected(error.rule, error.reason, self._rows()) from error
        if self._totals:
            self.notes.append(Note("totals_row", "a totals row is no row", rows=self._totals))

    def _rows(self) -> int:
        from zhongtai.readers.counting import count_rows

        return count_rows(self.contract, self._path)

    def _check_layout(self) -> Header | None:
        layout = self._layout
        if layout is None:
            self.notes.append(Note("empty_file", "the file holds no record"))
            return None
        self.notes.append(Note("encoding", f"read as {layout.encoding.codec}"))
        expected = ", ".join(c.delivered for c in self.contract.columns)
        if not layout.record:
            raise FileRejected(
                "required_column_missing",
                f"none of the first {HEADER_SEARCH_ROWS} records is a header; expected {expected}",
                self._rows(),
                hint="deliver the file with its header line",
            )
        own = self.contract.dialect.delimiter
        if layout.delimiter != own and not (layout.encoding.is_wide and layout.delimiter == "\t"):
            raise FileRejected(
                "wrong_delimiter",
                f"the header is separated by {layout.delimiter!r}, expected {own!r}",
                self._rows(),
                hint="export the file again with the agreed delimiter",
            )
        try:
            header = build_header(self.contract, layout.record)
        except FileRejected as error:
            error.rows_in = self._rows()
            raise
        self.notes += note_columns(self.contract, header)
        return header

    def _read(self, layout: Layout, header: Header) -> Iterator[pa.RecordBatch]:
        """Cut the text into blocks of records, carrying an unfinished record over."""
        dialect = self.contract.dialect
        grammar = Grammar(
            ord(layout.delimiter),
            ord(dialect.quotechar),
            ord(dialect.escapechar) if dialect.escapechar else None,
            layout.width,
        )
        text_lines = read_text(self._path, layout.encoding, returns=True)
        lines = _skip_lines(text_lines, layout.lines)
        carried, line = TextLines(b""), layout.lines + 1
        for block in chain(lines, [None]):
            if block is not None and not block.is_overlong:
                text = _join(carried, block)
                records = split_records(text.data, grammar, is_last=False)
            else:
                text = carried
                records = split_records(text.data, grammar, is_last=True)
            yield from self._rows_of(records, text, header, line)
            line += records.line_ends
            carried = _rest(text, records.consumed)
            if block is not None and block.is_overlong:
                self._rejects.add(
                    [line], "record_too_long", "the line is too long; only its start is kept",
                    [block.data.decode()],
                )  # fmt: skip
                line += 1

    def _rows_of(
        self, records: Records, text: TextLines, header: Header, line: int
    ) -> Iterator[pa.RecordBatch]:
        """Sort the records of a block into good rows, rejects and what is no row."""
        count = len(records.first)
        if not count:
            return
        is_row = ~self._find_no_rows(records)
        fits = records.width == header.width
        if not fits.all():
            fits |= _has_empty_surplus(records, header.width)
        numbers = records.line.astype(np.int64) + line
        self._reject(records, is_row & records.is_broken, numbers, "broken_quote",
                     "a quoted field is not closed as it should be")  # fmt: skip
        sound = is_row & ~records.is_broken
        self._reject(records, sound & ~fits, numbers, "field_count",
                     f"the record does not have {header.width} fields as the header")  # fmt: skip
        good = np.flatnonzero(sound & fits)
        good = self._without_repeated_header(records, good, header, numbers)
        if len(good):
            yield self._build(records, good, header, numbers[good], text)

    def _build(
        self, records: Records, good: Any, header: Header, numbers: Any, text: TextLines
    ) -> pa.RecordBatch:
        cells = _Cells(records)
        columns = {
            name: cells.column(good, position) for name, position in header.positions.items()
        }
        extras = {name: cells.column(good, position) for name, position in header.extras.items()}
        raw: dict[int, str] = {}
        for offset, original in text.repaired.items():
            record = int(np.searchsorted(records.start, offset, side="right")) - 1
            place = int(np.searchsorted(good, record))
            if place < len(good) and good[place] == record:
                raw[place] = f"{raw[place]}\n{original}" if place in raw else original
        return row_batch(
            self.contract, columns, numbers, extra=objects_of(extras) if extras else None, raw=raw
        )

    def _reject(self, records: Records, which: Any, numbers: Any, rule: str, reason: str) -> None:
        index = np.flatnonzero(which)
        if len(index):
            originals = [
                records.data[records.start[i] : records.end[i]].decode() for i in index.tolist()
            ]
            self._rejects.add(numbers[index].tolist(), rule, reason, originals)

    def _find_no_rows(self, records: Records) -> Any:
        """Which records are empty or totals rows.

        Only records whose first field is empty, or begins like a blank or a totals word, can be;
        of these the text decides, and the few that are left are looked at one by one.
        """
        cells = _Cells(records)
        first, end = records.field_start[records.first], records.field_end[records.first]
        content = np.frombuffer(records.content, np.uint8)
        begins = content[np.minimum(first, max(0, len(content) - 1))] if len(content) else first
        suspects = np.flatnonzero(((first == end) | _SUSPECT[begins]) & ~records.is_broken)
        no_rows = np.zeros(len(records.first), bool)
        if not len(suspects):
            return no_rows
        texts = cells.texts(suspects)
        filled = truth(pc.match_substring_regex(texts, _FILLED))
        totals = truth(pc.match_substring_regex(texts, "|".join(TOTALS_WORDS)))
        for record in suspects[~filled | totals].tolist():
            values = cells.record(record)
            is_total = is_totals(values)
            self._totals += is_total
            no_rows[record] = is_total or not any(v.strip(_BLANKS) for v in values)
        return no_rows

    def _without_repeated_header(
        self, records: Records, good: Any, header: Header, numbers: Any
    ) -> Any:
        """Reject records that are the header again."""
        cells = _Cells(records)
        position = next(iter(header.positions.values()))
        first = cells.column(good, position)
        suspects = good[truth(pc.equal(first, header.cells[position]))]
        repeated = [
            record
            for record in suspects.tolist()
            if count_matches(self.contract, cells.record(record)) == len(header.positions)
        ]
        if not repeated:
            return good
        which = np.zeros(len(records.first), bool)
        which[repeated] = True
        self._reject(records, which, numbers, "repeated_header", "the record is the header again")
        return good[~which[good]]


class _Cells:
    """The fields of a block as Arrow arrays over its bytes."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._all = _ranges(records.content, records.field_start, records.field_end)

    def column(self, records: Any, position: int) -> Any:
        """The field at `position` of the given records."""
        return self._all.take(int64_array(2 * (self._records.first[records] + position)))

    def texts(self, records: Any) -> Any:
        """The text of the given records, as delivered."""
        whole = _ranges(self._records.data, self._records.start, self._records.end)
        return whole.take(int64_array(2 * records))

    def record(self, record: int) -> Sequence[str]:
        """The values of one record."""
        first, width = int(self._records.first[record]), int(self._records.width[record])
        values: list[str] = self._all[2 * first : 2 * (first + width) : 2].to_pylist()
        return values


def _ranges(content: Any, start: Any, end: Any) -> Any:
    """Ascending ranges of UTF-8 bytes as a string array: each even element is one of them."""
    offsets = np.empty(2 * len(start) + 1, np.int32)
    offsets[0:-1:2] = start
    offsets[1::2] = end
    offsets[-1] = len(content)
    return pa.StringArray.from_buffers(2 * len(start), pa.py_buffer(offsets), pa.py_buffer(content))


def _has_empty_surplus(records: Records, width: int) -> Any:
    """Which records only have empty fields beyond the header's."""
    surplus = records.width > width
    wide = np.flatnonzero(surplus)
    last = records.first[wide] + records.width[wide] - 1
    text = records.field_end[last] - records.field_end[records.first[wide] + width - 1]
    surplus[wide] = text == records.width[wide] - width
    return surplus


def _skip_lines(blocks: Iterator[TextLines], count: int) -> Iterator[TextLines]:
    """Drop the lines above the first record."""
    for block in blocks:
        if not count:
            yield block
            continue
        start = 0
        for match in re.finditer(rb"\r\n|\n|\r", block.data):
            start, count = match.end(), count - 1
            if not count:
                break
        else:
            start = len(block.data)
        yield _rest(block, start)


def _join(carried: TextLines, block: TextLines) -> TextLines:
    if not carried.data:
        return block
    shifted = {len(carried.data) + at: text for at, text in block.repaired.items()}
    return TextLines(carried.data + block.data, carried.repaired | shifted)


def _rest(text: TextLines, start: int) -> TextLines:
    kept = {at - start: original for at, original in text.repaired.items() if at >= start}
    return TextLines(text.data[start:], kept)
