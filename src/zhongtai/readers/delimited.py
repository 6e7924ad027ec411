"""Delimited text: any listed encoding, either way of quoting, whatever stands above the header."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.readers.ahead import produce_ahead
from zhongtai.readers.block import Block
from zhongtai.readers.bytestream import StreamError
from zhongtai.readers.encoding import TextLines, read_text
from zhongtai.readers.header import (
    BLANK_CHARACTERS,
    HEADER_SEARCH_ROWS,
    TOTALS_WORDS,
    Header,
    build_header,
    count_matches,
    is_totals,
    note_columns,
)
from zhongtai.readers.layout import Layout, find_layout
from zhongtai.readers.quoted import split_quoted
from zhongtai.readers.records import FileRejected, Note, Rejects, objects_of, row_batch, truth
from zhongtai.readers.structure import Grammar, Records, split_records

_BLANKS = BLANK_CHARACTERS + "\r\n"
_SUSPECT = np.zeros(256, bool)
_SUSPECT[[char.encode()[0] for char in (*_BLANKS, *TOTALS_WORDS)]] = True


class DelimitedReader:
    """Reads one delimited file."""

    def __init__(self, contract: Contract, path: Path) -> None:
        """Find the header; raises FileRejected where there is none, or a wrong one."""
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        try:
            self._layout = find_layout(contract, path)
        except StreamError as error:
            raise FileRejected(error.rule, error.reason) from error
        self._header = self._check_layout()
        self._totals = 0

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the stream breaks off."""
        return produce_ahead(self._produce())

    def _produce(self) -> Iterator[pa.RecordBatch]:
        if self._layout is None or self._header is None:
            return
        try:
            yield from self._read(self._layout, self._header)
        except (StreamError, FileRejected) as error:
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
            )
        own = self.contract.dialect.delimiter
        if layout.delimiter != own and not (layout.encoding.is_wide and layout.delimiter == "\t"):
            raise FileRejected(
                "wrong_delimiter",
                f"the header is separated by {layout.delimiter!r}, expected {own!r}",
                self._rows(),
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
                records = split_quoted(text.data, grammar) or split_records(
                    text.data, grammar, is_last=False
                )
            else:
                text = carried
                records = split_records(text.data, grammar, is_last=True)
            if len(records.first):
                escaped = f"{layout.delimiter}{dialect.quotechar}"
                yield from self._rows_of(Block(records, text, line, escaped), header)
            line += records.line_ends
            carried = _rest(text, records.consumed)
            if block is not None and block.is_overlong:
                self._rejects.add(
                    [line], "record_too_long", "the line is too long; only its start is kept",
                    [block.data.decode()],
                )  # fmt: skip
                line += 1

    def _rows_of(self, block: Block, header: Header) -> Iterator[pa.RecordBatch]:
        """Sort the records of a block into good rows, rejects and what is no row."""
        records = block.records
        is_row = ~self._find_no_rows(block)
        fits = records.width == header.width
        if not fits.all():
            fits |= _has_empty_surplus(records, header.width)
        sound = is_row & ~records.is_broken
        self._reject(block, is_row & records.is_broken, "broken_quote",
                     "a quoted field is not closed as it should be")  # fmt: skip
        self._reject(block, sound & ~fits, "field_count",
                     f"the record does not have {header.width} fields as the header")  # fmt: skip
        good = np.flatnonzero(sound & fits)
        good = self._without_repeated_header(block, good, header)
        if len(good):
            yield self._build(block, good, header)

    def _build(self, block: Block, good: Any, header: Header) -> pa.RecordBatch:
        extras = {name: block.column(good, at) for name, at in header.extras.items()}
        raw: dict[int, str] = {}
        for record in block.repaired_records() if block.text.repaired else ():
            place = int(np.searchsorted(good, record))
            if place < len(good) and good[place] == record:
                raw[place] = block.original(record)
        return row_batch(
            self.contract,
            {name: block.column(good, at) for name, at in header.positions.items()},
            block.numbers[good],
            extra=objects_of(extras) if extras else None,
            raw=raw,
        )

    def _reject(self, block: Block, which: Any, rule: str, reason: str) -> None:
        index = np.flatnonzero(which)
        if len(index):
            originals = [block.original(record) for record in index.tolist()]
            self._rejects.add(block.numbers[index].tolist(), rule, reason, originals)

    def _find_no_rows(self, block: Block) -> Any:
        """Which records are empty or totals rows.

        Only records whose first field is empty, or begins like a blank or a totals word, can be;
        of these the text decides, and the few that are left are looked at one by one.
        """
        records = block.records
        first, end = records.field_start[records.first], records.field_end[records.first]
        content = np.frombuffer(records.content, np.uint8)
        begins = content[np.minimum(first, max(0, len(content) - 1))] if len(content) else first
        suspects = np.flatnonzero(((first == end) | _SUSPECT[begins]) & ~records.is_broken)
        no_rows = np.zeros(len(records.first), bool)
        if not len(suspects):
            return no_rows
        texts = block.texts(suspects)
        quote = self.contract.dialect.quotechar
        structure = re.escape((self._layout.delimiter if self._layout else ",") + quote)
        filled = truth(pc.match_substring_regex(texts, f"[^{_BLANKS}{structure}]"))
        totals = truth(pc.match_substring_regex(texts, "|".join(TOTALS_WORDS)))
        # without a quote no field of such a record can be anything but blank
        empty = ~filled & ~truth(pc.match_substring(texts, quote))
        no_rows[suspects[empty]] = True
        for record in suspects[(~filled & ~empty) | totals].tolist():
            values = block.values(record)
            is_total = is_totals(values)
            self._totals += is_total
            no_rows[record] = is_total or not any(v.strip(_BLANKS) for v in values)
        return no_rows

    def _without_repeated_header(self, block: Block, good: Any, header: Header) -> Any:
        """Reject records that are the header again."""
        position = next(iter(header.positions.values()))
        first = block.column(good, position)
        suspects = good[truth(pc.equal(first, header.cells[position]))]
        repeated = [
            record
            for record in suspects.tolist()
            if count_matches(self.contract, block.values(record)) == len(header.positions)
        ]
        if not repeated:
            return good
        which = np.zeros(len(block.records.first), bool)
        which[repeated] = True
        self._reject(block, which, "repeated_header", "the record is the header again")
        return good[~which[good]]


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
