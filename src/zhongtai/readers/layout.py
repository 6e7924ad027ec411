"""How a delimited file is laid out: its encoding, its delimiter, where its header is."""

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zhongtai.contracts import Contract
from zhongtai.readers.bytestream import StreamError
from zhongtai.readers.encoding import Encoding, TextLines, decide_encoding, read_text
from zhongtai.readers.header import BLANK_CHARACTERS, HEADER_SEARCH_ROWS, find_header

_HEAD_BYTES = 256 << 10
_OTHER_DELIMITERS = ",\t;|"
_MOST_BLANKS = 16 << 20
_BLANKS = b" \t\r\n\v\f"


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
    Raises StreamError where not even the first line can be read, or is too long for a header.
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
    blanks = 0
    for lines in read_text(path, encoding, returns=True):
        text = lines.data[:_HEAD_BYTES].decode("utf-8", "ignore")
        is_blank = not lines.data.strip(_BLANKS)
        if blanks > _MOST_BLANKS or (blanks and not is_blank):
            raise StreamError("unreadable", "megabytes of blanks stand before the first record")
        if not is_blank:
            _check_head(lines, text)
            return text
        blanks += len(lines.data)
    return ""


def _check_head(lines: TextLines, text: str) -> None:
    # of a line beyond the bound less than a head is kept
    is_long = lines.is_overlong or len(lines.data) > _HEAD_BYTES
    if is_long and "\n" not in text and "\r" not in text:
        reason = f"the first line is longer than {_HEAD_BYTES >> 10} KiB: it is no header"
        raise StreamError("header_too_long", reason)


def _parse_head(contract: Contract, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The first records of a text, and the number of physical lines up to the end of each."""
    dialect = contract.dialect
    if dialect.escapechar:
        # before a line end an escape stands for itself; the csv module thinks otherwise
        one = re.escape(dialect.escapechar)
        text = re.sub(rf"(?<!{one})((?:{one}{one})*{one})(?=[\r\n]|\Z)", r"\1\1", text)
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=dialect.quotechar,
        escapechar=dialect.escapechar,
        doublequote=dialect.escapechar is None,
    )
    records: list[list[str]] = []
    lines: list[int] = []
    # a cell beyond the csv module's bound: no header is that long, what came before counts
    with suppress(csv.Error):
        for row in rows:
            records.append(row)
            lines.append(rows.line_num)
            if len(records) >= HEADER_SEARCH_ROWS:
                break
    return records or [[]], lines or [1]
