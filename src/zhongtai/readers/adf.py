"""ADF XML: one row per prospect, read as a stream, without entities or external references.

The stream is cut into prospects first and each is parsed alone, so that one broken prospect
costs one row. Nothing declared outside a prospect is ever evaluated.
"""

import codecs
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import XML, Element, ParseError

import numpy as np
import pyarrow as pa

from zhongtai.contracts import Contract
from zhongtai.readers.bytestream import StreamError, read_blocks
from zhongtai.readers.encoding import decide_encoding
from zhongtai.readers.prospect import read_prospect
from zhongtai.readers.records import FileRejected, Note, Rejects, row_batch

MAX_BYTES = 256 << 20
_MAX_PROSPECT = 16 << 20
_BLOCK = 1 << 20
_ROWS_PER_BATCH = 8192
_TOKEN = re.compile(
    r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|(?P<cut><!(?:\[CDATA\[|--).*\Z)"
    r"|(?P<open><prospect\b[^>]*>)|(?P<close></prospect\s*>)"
    r"|(?P<root><(?P<end>/?)adf\b[^>]*>)|(?P<bad><!ENTITY|<!DOCTYPE[^>\[]*\[)",
    re.DOTALL | re.IGNORECASE,
)
_DECLARED = re.compile(rb"<\?xml\b[^>]*\bencoding=[\"']([\w.:-]+)[\"']", re.IGNORECASE)
_COMMENTS = re.compile(r"(<comments\b[^>/]*>)(.*?)(</comments\s*>)", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:(#\d+|#x[0-9a-f]+|amp|lt|gt|quot|apos);|(\w+;))?", re.IGNORECASE)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BAD_BYTE = re.compile("[\ud800-\udfff]")
# Undecodable bytes pass the parser as characters that no text has.
_MARK = 0x10FF00
_MARKED = re.compile(f"[{chr(_MARK)}-{chr(_MARK + 255)}]")


class AdfReader:
    """Reads one ADF file."""

    def __init__(self, contract: Contract, path: Path) -> None:
        """Look at the size; raises FileRejected where a file is too large to be leads."""
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        if path.stat().st_size > MAX_BYTES:
            raise FileRejected("too_large", f"more than {MAX_BYTES >> 20} MiB of XML")

    @property
    def rejects(self) -> pa.Table:
        """Prospects that cannot be loaded: number of the prospect, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the file breaks off."""
        rows: list[tuple[int, dict[str, str], str | None]] = []
        number = 0
        try:
            for number, text in enumerate(split_prospects(self._texts()), 1):
                self._read(number, text, rows)
                if len(rows) == _ROWS_PER_BATCH:
                    yield self._batch(rows)
                    rows = []
        except (StreamError, FileRejected) as error:
            from zhongtai.readers.counting import count_rows

            count = count_rows(self.contract, self._path)
            raise FileRejected(error.rule, error.reason, count) from error
        if rows:
            yield self._batch(rows)
        if not number:
            self.notes.append(Note("empty_file", "the file holds no prospect"))

    def _texts(self) -> Iterator[str]:
        codec = find_codec(self.contract, self._path)
        self.notes.append(Note("encoding", f"read as {codec}"))
        decoder = codecs.getincrementaldecoder(codec)(
            "surrogatepass" if codec.startswith("utf-16") else "surrogateescape"
        )
        for block in read_blocks(self._path, _BLOCK):
            yield _mark(decoder.decode(block))
        yield _mark(decoder.decode(b"", True))

    def _read(
        self, number: int, text: str, rows: list[tuple[int, dict[str, str], str | None]]
    ) -> None:
        """Parse one prospect, mended where it has to be."""
        original = _MARKED.sub(lambda m: f"\\x{ord(m[0]) - _MARK:02x}", text)
        raw = None if original == text else original
        text = _MARKED.sub("\ufffd", text)
        element = parse_prospect(_escape_comments(text))
        if element is None:
            element, raw = parse_prospect(_escape_comments(_mend(text))), original
        if element is None:
            self._rejects.add(
                [number], "broken_xml", "the prospect is not well-formed XML", [original]
            )
            return
        rows.append((number, read_prospect(element), raw))

    def _batch(self, rows: list[tuple[int, dict[str, str], str | None]]) -> pa.RecordBatch:
        names = [column.delivered for column in self.contract.columns]
        values = [row for _, row, _ in rows]
        extra = [{k: v for k, v in row.items() if k not in names} for row in values]
        texts = [json.dumps(e, ensure_ascii=False) if e else None for e in extra]
        return row_batch(
            self.contract,
            {name: pa.array([row.get(name) for row in values], pa.string()) for name in names},
            np.array([number for number, _, _ in rows], np.int64),
            extra=pa.array(texts, pa.string()),
            raw={at: raw for at, (_, _, raw) in enumerate(rows) if raw is not None},
        )


def find_codec(contract: Contract, path: Path) -> str:
    """The codec of an XML file: byte order mark, else its declaration, else what fits."""
    found = decide_encoding(path, contract.encodings)
    declared = _DECLARED.search(next(read_blocks(path, 1024), b""))
    if found.bom or found.is_wide or not declared:
        return "utf-8-sig" if found.codec == "utf-8" else found.codec
    name = declared[1].decode().lower()
    if name.startswith(("gb", "cp936", "utf")):
        # both are declared at random; the bytes know better
        return found.codec
    try:
        return codecs.lookup(name).name
    except LookupError:
        return found.codec


def split_prospects(texts: Iterator[str]) -> Iterator[str]:
    """The text of each prospect.

    Raises StreamError for entity declarations and for a file that ends within an element.
    """
    splitter = _Splitter()
    for text in texts:
        yield from splitter.feed(text)
    splitter.close()


class _Splitter:
    """Finds prospects in a stream, outside of comments and CDATA sections."""

    def __init__(self) -> None:
        self._buffer = ""
        self._searched = 0
        self._start = -1
        self._open_roots = 0
        self._is_adf = False

    def feed(self, text: str) -> Iterator[str]:
        """The prospects that `text` completes."""
        self._buffer += text
        for token in _TOKEN.finditer(self._buffer, self._searched):
            if token["bad"]:
                raise StreamError("forbidden_xml", "the file declares entities of its own")
            if token["cut"] is not None:
                break
            self._searched = token.end()
            yield from self._take(token)
        cut = self._start if self._start >= 0 else self._searched
        self._buffer, self._searched = self._buffer[cut:], self._searched - cut
        self._start = min(self._start, 0)
        if len(self._buffer) > _MAX_PROSPECT:
            raise StreamError("too_large", "a prospect is larger than 16 Mi characters")

    def _take(self, token: re.Match[str]) -> Iterator[str]:
        if token["root"]:
            self._is_adf = True
            self._open_roots += -1 if token["end"] else 1
        elif token["open"] and self._start < 0:
            if token["open"].endswith("/>"):
                yield token["open"]
            else:
                self._start = token.start()
        elif token["close"] and self._start >= 0:
            yield self._buffer[self._start : token.end()]
            self._start = -1

    def close(self) -> None:
        """Check that the stream ended where it should."""
        if self._start >= 0 or self._open_roots > 0:
            raise StreamError("truncated", "the file ends before </adf>")
        if not self._is_adf and self._buffer.strip():
            raise StreamError("unreadable", "no <adf> element in the file")


def parse_prospect(text: str) -> Element | None:
    """The element, or None where the text is not well-formed.

    `text` begins with the tag of the prospect, so no declaration can stand in it, and no entity be
    defined: the plain parser is safe here, and ten times as fast as a guarded one.
    """
    if text[:9].lower() != "<prospect":
        return None
    try:
        return XML(text)
    except (ParseError, ValueError):
        return None


def _escape_comments(text: str) -> str:
    """Make markup within comments text: HTML there is a value, not structure."""

    def escape(match: re.Match[str]) -> str:
        if "<![CDATA[" in match[2] or "<" not in match[2]:
            return match[0]
        return match[1] + match[2].replace("<", "&lt;").replace(">", "&gt;") + match[3]

    return _COMMENTS.sub(escape, text)


def _mend(text: str) -> str:
    """Escape bare ampersands, resolve the entities of HTML, drop forbidden characters."""

    def resolve(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        known = html.unescape(match[0]) if match[2] else match[0]
        return known if match[2] and known != match[0] else "&amp;" + match[0][1:]

    return _ENTITY.sub(resolve, _FORBIDDEN.sub("", text))


def _mark(text: str) -> str:
    return _BAD_BYTE.sub(lambda m: chr(_MARK + (ord(m[0]) & 0xFF)), text)
