"""Counts the rows of a file apart from the readers: by patterns over bytes, not by parsing.

The readers cut blocks with arrays; here regular expressions consume the file. Both follow the
grammar that `structure` states, so their sums must agree, whatever a file holds.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.readers.bytestream import (
    MAX_LINE_BYTES,
    MAX_XML_BYTES,
    Lines,
    StreamError,
    read_blocks,
    read_lines,
)
from zhongtai.readers.encoding import decide_encoding
from zhongtai.readers.header import BLANK_CHARACTERS, TOTALS_WORDS
from zhongtai.readers.layout import Layout, find_layout
from zhongtai.readers.sheetcount import count_sheets
from zhongtai.readers.structure import MAX_RECORD_BYTES, SWALLOW_COLUMNS
from zhongtai.readers.workbook import sniff_kind

_CHUNK_BYTES = 2 << 20
_BLANK_LINE = re.compile(rb"[ \t\r\v\f\0]*+(?:\n|\Z)")
_BLANKS_OF_LINES = np.zeros(256, bool)
_BLANKS_OF_LINES[list(b" \t\r\v\f\0\n")] = True
_XML_TOKEN = re.compile(rb"<!(\[CDATA\[|--)|<prospect\b[^>]*+>", re.IGNORECASE)
# With fewer than one quote to so many bytes, quoted fields are looked for one by one.
_RARE = 64
_NO_ROW_CHARACTERS = {*BLANK_CHARACTERS, "\r", "\n", *(word[0] for word in TOTALS_WORDS)}
# Legacy encodings use these as second bytes of a character.
_UNSAFE = "\\|"


def count_rows(contract: Contract, path: Path) -> int:
    """How many rows a file holds, by the definition of the input contract.

    Of a file that breaks off, the rows that could be counted; 0 where none could.
    """
    if contract.format == "jsonl":
        return _count_lines(contract, path)
    if contract.format == "adf":
        return _count_prospects(contract, path)
    kind = sniff_kind(path)
    if kind != "text":
        return count_sheets(contract, path)
    try:
        layout = find_layout(contract, path)
    except StreamError:
        return 0
    return 0 if layout is None else _DelimitedCount(contract, layout).count(path)


def _count_prospects(contract: Contract, path: Path) -> int:
    """Opening tags of prospects outside of comments and CDATA sections."""
    encoding = decide_encoding(path, contract.encodings)
    rows, rest, end = 0, b"", b""
    for block in _xml_blocks(path, encoding.codec if encoding.is_wide else ""):
        found, rest, end = _prospects_in(rest + block, end)
        rows += found
        if len(rest) > MAX_LINE_BYTES:
            # the reader refuses it
            break
    return rows


def _xml_blocks(path: Path, transcoded: str) -> Iterator[bytes]:
    """The text in blocks up to where it breaks off; UTF-8 where a codec is given."""
    decoder = codecs.getincrementaldecoder(transcoded)("replace") if transcoded else None
    left = MAX_XML_BYTES
    with suppress(StreamError):
        for block in read_blocks(path, _CHUNK_BYTES):
            left -= len(block)
            if left < 0:
                return
            yield decoder.decode(block).encode("utf-8", "replace") if decoder else block


def _prospects_in(data: bytes, end: bytes) -> tuple[int, bytes, bytes]:
    """Prospects that begin in a text, its unfinished rest, and what ends the section it is in."""
    rows = at = 0
    while True:
        if end:
            stop = data.find(end, at)
            if stop < 0:
                return rows, data[max(at, len(data) - len(end) + 1) :], end
            at, end = stop + len(end), b""
        match = _XML_TOKEN.search(data, at)
        if not match:
            # the beginning of a tag or section, as far as it is here
            begin = data.find(b"<", max(at, data.rfind(b">") + 1))
            return rows, data[begin:] if begin >= 0 else b"", b""
        at = match.end()
        if match[1]:
            end = b"]]>" if match[1] == b"[CDATA[" else b"-->"
        else:
            rows += 1


def _count_lines(contract: Contract, path: Path) -> int:
    """Lines that are not blank."""
    encoding = decide_encoding(path, contract.encodings)
    rows = 0
    bom = encoding.bom
    for lines in _whole_lines(path, encoding.codec if encoding.is_wide else ""):
        if lines.is_overlong:
            rows += 1
            continue
        data = lines.data.removeprefix(bom) if not encoding.is_wide else lines.data
        bom = b""
        starts = _line_starts(data)
        rows += len(starts)
        suspects = starts[_BLANKS_OF_LINES[np.frombuffer(data, np.uint8)[starts]]]
        rows -= sum(map(bool, (_BLANK_LINE.match(data, at) for at in suspects.tolist())))
    return rows


def _line_starts(data: bytes) -> Any:
    """Where the lines of a text begin, the last one with or without its line end."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts = np.append(np.int64(0), ends + 1)
    return starts[starts < len(data)]


def _whole_lines(path: Path, transcoded: str, *, returns: bool = False) -> Iterator[Lines]:
    """Whole lines up to where the stream breaks off; UTF-8 where a codec to transcode is given."""

    def readable() -> Iterator[bytes]:
        try:
            yield from read_blocks(path, _CHUNK_BYTES)
        except StreamError:
            return

    blocks = readable()
    if transcoded:
        errors = "replace" if transcoded.startswith("utf-16") else "surrogateescape"
        texts = codecs.iterdecode(blocks, transcoded, errors)
        first = next(texts, "").removeprefix("\ufeff")
        blocks = (text.encode("utf-8", "replace") for text in chain([first], texts))
    yield from read_lines(blocks, returns=returns)


class _Patterns:
    """The grammar of delimited text as regular expressions over bytes of some encodings."""

    def __init__(self, contract: Contract, layout: Layout, codecs_: tuple[str, ...]) -> None:
        dialect = contract.dialect
        quote, escape = re.escape(dialect.quotechar), re.escape(dialect.escapechar or "")
        delimiter = re.escape(layout.delimiter)
        if escape:
            pair = f"{escape}[{escape}{quote}{delimiter}]|{escape}"
            inner = f"(?:[^{quote}{escape}]++|{pair})*+"
            plain = f"(?:[^{delimiter}{escape}\r\n]++|{pair})*+"
            # RE2 has no possessive repeats: here an escape takes the character after it
            inner2 = f"(?:[^{quote}{escape}]|{escape}[\\x00-\\xff])*"
            plain2 = f"(?:[^{quote}{delimiter}{escape}\r\n]|{escape}[^\r\n])*"
        else:
            inner, inner2 = f"(?:[^{quote}]++|{quote}{quote})*+", f"(?:[^{quote}]|{quote}{quote})*"
            plain, plain2 = f"[^{delimiter}\r\n]*+", f"[^{quote}{delimiter}\r\n]*"
        end = r"(?:\r\n|\n|\r"
        cell = f"(?:{quote}{inner}{quote}(?=[{delimiter}\r\n]|\\Z)|(?!{quote}){plain})"
        cell2 = f"(?:{quote}{inner2}{quote}|{plain2})"
        self.record = re.compile(f"{cell}(?:{delimiter}{cell})*+{end}|\\Z)".encode())
        self.line = re.compile(rf"[^\r\n]*+{end}|\Z)".encode())
        self.escape = (dialect.escapechar or "").encode()
        self.before = f"{layout.delimiter}\n".encode()
        self.span = re.compile(
            f"{quote}[^{quote}\n]*+(?:{quote}{quote}[^{quote}\n]*+)*+{quote}"
            f"(?=[{delimiter}\r\n])".encode()
        )
        # only before a line end an escape stands for itself
        last = f"{escape}?" if escape else ""
        self.clean = f"{cell2}(?:{delimiter}{cell2})*{last}{end})"
        self.no_row = re.compile(self._no_row(layout.delimiter, dialect.quotechar, codecs_))
        # what a record that is no row begins with, be it quoted or not
        begins = {c.encode(codec)[0] for c in _NO_ROW_CHARACTERS for codec in codecs_}
        self.may_be_none = np.zeros(256, bool)
        self.may_be_none[[*begins, ord(layout.delimiter), ord(dialect.quotechar)]] = True

    @staticmethod
    def _no_row(delimiter: str, quote: str, codecs_: tuple[str, ...]) -> bytes:
        """A line end and, up to the next one, an empty record or a totals row."""

        def any_of(texts: str | tuple[str, ...]) -> bytes:
            found = {re.escape(t.encode(c)) for t in texts for c in codecs_ if t != delimiter}
            return b"(?:" + b"|".join(sorted(found)) + b")"

        d, q = re.escape(delimiter.encode()), re.escape(quote.encode())
        blanks = any_of(tuple(BLANK_CHARACTERS)) + b"*+"
        quoted_blanks = any_of(tuple(BLANK_CHARACTERS + "\r\n")) + b"*+"
        empty = b"(?:" + q + quoted_blanks + q + b"|" + blanks + b")"
        word = any_of(TOTALS_WORDS)
        colon = any_of((":", "："))
        text, quoted = (e + word + e + b"(?:" + colon + e + b")?" for e in (blanks, quoted_blanks))
        total = b"(?:" + q + quoted + q + b"|" + text + b")"
        empties = empty + b"(?:" + d + empty + b")*+(?=\n)"
        return b"\n(?:" + empties + b"|(?:" + empty + d + b")*" + total + b"(?=[" + d + b"\n]))"


class _DelimitedCount:
    """Counts the records of one delimited file."""

    def __init__(self, contract: Contract, layout: Layout) -> None:
        self._layout = layout
        encoding, dialect = layout.encoding, contract.dialect
        structure = layout.delimiter + dialect.quotechar + (dialect.escapechar or "")
        is_unsafe = encoding.codec != "utf-8" and any(c in _UNSAFE for c in structure)
        self._transcoded = encoding.codec if encoding.is_wide or is_unsafe else ""
        self._codec = "utf-8" if self._transcoded else encoding.codec
        self._others = () if self._transcoded else encoding.others
        self._quote = dialect.quotechar.encode()
        self._delimiter = layout.delimiter.encode()
        self._patterns = _Patterns(contract, layout, (self._codec, *self._others))

    def count(self, path: Path) -> int:
        """Records after the header that are neither empty nor a totals row."""
        rows, rest, skip = 0, b"", self._layout.lines
        for lines in _whole_lines(path, self._transcoded, returns=True):
            if lines.is_overlong:
                rows, rest = rows + self._exact(rest, is_last=True)[0] + 1, b""
                continue
            data = lines.data
            while skip and data:
                match = self._patterns.line.match(data)
                data, skip = data[match.end() if match else len(data) :], skip - 1
            data = data.replace(b"\0", b"") if b"\0" in data else data
            found, rest = self._chunk(rest + data if rest else data)
            rows += found
        return rows + self._exact(rest, is_last=True)[0]

    def _chunk(self, data: bytes) -> tuple[int, bytes]:
        """The rows of whole lines, and what belongs to a record that is not finished."""
        if not data.endswith((b"\n", b"\r")):
            return 0, data
        text = b"\n" + data
        if b"\r" in data:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # a line end before the first line and after each
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        if not self._is_one_record_a_line(text, ends):
            return self._exact(data, is_last=False)
        return len(ends) - 1 - self._count_no_rows(text, ends[:-1]), b""

    def _count_no_rows(self, text: bytes, ends: Any) -> int:
        """How many lines, each after one of the line ends, are empty records or totals rows."""
        buffer = np.frombuffer(text, np.uint8)
        may_be_none, first = self._patterns.may_be_none, buffer[ends + 1]
        may_be = may_be_none[first]
        quoted = np.flatnonzero(first == self._quote[0])
        may_be[quoted] = may_be_none[buffer[ends[quoted] + 2]]
        # nothing at all stands on most of them
        is_empty = first == ord("\n")
        others = ends[may_be & ~is_empty].tolist()
        return int(is_empty.sum()) + sum(self._is_no_row(text, at) for at in others)

    def _is_no_row(self, text: bytes, at: int) -> bool:
        """Whether the line after the line end at `at` is none; broken ones are refused rows."""
        if not self._patterns.no_row.match(text, at):
            return False
        line = text[at + 1 : text.index(b"\n", at + 1) + 1]
        return self._quote not in line or not self._exact(line, is_last=True)[0]

    def _is_one_record_a_line(self, text: bytes, ends: Any) -> bool:
        """Whether it is plain that every quote opens or closes a field within its line.

        False only means that it is not plain.
        """
        buffer = np.frombuffer(text, np.uint8)
        quotes = np.count_nonzero(buffer == self._quote[0])
        if not quotes or self._ends_quoted(buffer, ends[1:]):
            return True
        if self._pairs_up(buffer, ends):
            return True
        if quotes * _RARE < len(text) and not self._patterns.escape:
            found = 0
            for match in self._patterns.span.finditer(text):
                if text[match.start() - 1] not in self._patterns.before:
                    return False
                found += match[0].count(self._quote)
            return bool(found == quotes)
        # one NUL for each record and nothing else: all is plain; as many as lines: none is long
        whole = pa.array([text[1:]], pa.binary())
        left = pc.replace_substring_regex(whole, self._patterns.clean, "\0")[0].as_py()
        return bool(left == bytes(len(ends) - 1))

    def _ends_quoted(self, buffer: Any, ends: Any) -> bool:
        """Whether before each line end a quote closes a field.

        It does wherever it neither opens one nor is escaped, by whatever the dialect escapes with.
        """
        if not (buffer[ends - 1] == self._quote[0]).all():
            return False
        others = self._delimiter + (self._patterns.escape or self._quote) + b"\n"
        return not np.isin(buffer[ends - 2], list(others)).any()

    def _pairs_up(self, buffer: Any, ends: Any) -> bool:
        """Whether quotes open after a delimiter or line end and close before one, line by line."""
        at = np.flatnonzero(buffer == self._quote[0])
        escape = self._patterns.escape
        if escape:
            before = buffer[at - 1] == escape[0]
            if (before & (buffer[at - 2] == escape[0])).any():
                return False
            at = at[~before]
        else:
            at = _without_doubled(at)
        opens, closes = at[0::2], at[1::2]
        if len(opens) != len(closes):
            return False
        is_edge = np.zeros(256, bool)
        is_edge[[self._delimiter[0], 10]] = True
        if not (is_edge[buffer[opens - 1]].all() and is_edge[buffer[closes + 1]].all()):
            return False
        if escape and (buffer[opens - 2] == escape[0]).any():
            return False
        return not (np.searchsorted(at, ends) % 2).any()

    def _exact(self, data: bytes, *, is_last: bool) -> tuple[int, bytes]:
        """Record by record, as the grammar says, where quotes are not plain to see."""
        rows = position = 0
        while position < len(data):
            match = self._patterns.record.match(data, position)
            if match is None and not is_last and len(data) - position <= MAX_RECORD_BYTES:
                break
            if match is None or self._is_suspicious(match[0]):
                rows += 1
                match = self._patterns.line.match(data, position)
            else:
                text = b"\n" + match[0].rstrip(b"\r\n") + b"\n"
                rows += not self._patterns.no_row.match(text)
            position = match.end() if match else len(data)
        return rows, data[position:]

    def _is_suspicious(self, record: bytes) -> bool:
        """Whether a record of several lines is too long or holds a line that is a record."""
        text = record.removesuffix(b"\n")
        lines = record.splitlines()
        if len(lines) < 2:
            return False
        if len(text) > MAX_RECORD_BYTES // 2:
            characters = text.decode(self._codec, "surrogateescape")
            if len(characters.encode("utf-8", "surrogatepass")) > MAX_RECORD_BYTES:
                return True
        columns = self._layout.width
        inner = lines[1:-1] if columns >= SWALLOW_COLUMNS else []
        return any(line.count(self._delimiter) == columns - 1 for line in inner)


def _without_doubled(quotes: Any) -> Any:
    """The positions of quotes without pairs side by side, which leave all as it is around them."""
    heads = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
    length = np.diff(np.append(heads, len(quotes)))
    return quotes[heads[length % 2 == 1] + length[length % 2 == 1] - 1]
