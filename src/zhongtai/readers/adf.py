"""ADF XML: one row per prospect, read as a stream, without entities or external references.

The stream is cut into prospects first. Those that are written alike, which is nearly all, are read
together; each odd one is parsed alone, so that a broken prospect costs one row. Nothing declared
outside a prospect is ever evaluated.
"""

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zhongtai.contracts import Contract
from zhongtai.readers.ahead import produce_ahead
from zhongtai.readers.bytestream import MAX_XML_BYTES, StreamError, read_blocks
from zhongtai.readers.encoding import decide_encoding, is_utf8
from zhongtai.readers.markup import Markup, Tags
from zhongtai.readers.prospect import (
    escape_comments,
    mend_prospect,
    parse_prospect,
    read_prospect,
)
from zhongtai.readers.prospects import Gathered, ProspectReader
from zhongtai.readers.records import FileRejected, Note, Rejects, int64_array, row_batch

_MAX_PROSPECT = 16 << 20
_BLOCK = 4 << 20
_DECLARED = re.compile(rb"<\?xml\b[^>]*\bencoding=[\"']([\w.:-]+)[\"']", re.IGNORECASE)
_ALPHABETS = re.compile(
    r"(?:iso-?8859|windows|cp125|latin)[-_]?\d{1,4}|us-ascii|ascii|big5|euc-(?:jp|kr)"
)
_BAD_BYTE = re.compile("[\ud800-\udfff]")
# Undecodable bytes pass the parser as characters that no text has.
_MARK = 0x10FF00
_MARKED = re.compile(f"[{chr(_MARK)}-{chr(_MARK + 255)}]")
# Number, values by column and path, original text where it was mended.
_Row = tuple[int, dict[str, str], str | None]


class AdfReader:
    """Reads one ADF file."""

    def __init__(self, contract: Contract, path: Path) -> None:
        """Nothing is read yet."""
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        self._names = [column.delivered for column in contract.columns]

    @property
    def rejects(self) -> pa.Table:
        """Prospects that cannot be loaded: number of the prospect, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the file breaks off."""
        return produce_ahead(self._produce())

    def _produce(self) -> Iterator[pa.RecordBatch]:
        reader = ProspectReader(self._names)
        done = 0
        try:
            for markup in cut_prospects(self._texts(), reader.tags):
                yield from self._read(markup, reader.read(markup), done + 1)
                done += len(markup.first)
        except (StreamError, FileRejected) as error:
            from zhongtai.readers.counting import count_rows

            count = count_rows(self.contract, self._path)
            raise FileRejected(error.rule, error.reason, count) from error
        if not done:
            self.notes.append(Note("empty_file", "the file holds no prospect"))

    def _texts(self) -> Iterator[bytes]:
        codec = find_codec(self.contract, self._path)
        self.notes.append(Note("encoding", f"read as {codec}"))
        blocks = _bounded(read_blocks(self._path, _BLOCK))
        return _check_utf8(blocks) if codec == "utf-8-sig" else _transcode(blocks, codec)

    def _read(self, markup: Markup, gathered: Gathered, number: int) -> Iterator[pa.RecordBatch]:
        """The rows of a block, of which the first prospect has the given number."""
        odd = np.flatnonzero(~gathered.is_read).tolist()
        rows = list(self._read_odd(markup, odd, number))
        alike = np.flatnonzero(gathered.is_read)
        numbers = np.append(alike + number, np.array([at for at, _, _ in rows], np.int64))
        if not len(numbers):
            return
        order = np.argsort(numbers)
        # a prospect of the block, or one of those behind it
        index = np.append(alike, len(gathered.is_read) + np.arange(len(rows)))[order]

        def merge(column: Any, others: list[str | None]) -> Any:
            found = pa.concat_arrays([column, pa.array(others, pa.string())]) if odd else column
            return found.take(int64_array(index)) if odd else found

        originals = {at: raw for at, _, raw in rows if raw is not None}
        yield row_batch(
            self.contract,
            {
                name: merge(gathered.columns[name], [row.get(name) for _, row, _ in rows])
                for name in self._names
            },
            numbers[order],
            extra=merge(gathered.extra, [self._extra(row) for _, row, _ in rows]),
            raw={int(np.searchsorted(numbers[order], at)): raw for at, raw in originals.items()},
        )

    def _read_odd(self, markup: Markup, prospects: list[int], number: int) -> Iterator[_Row]:
        """Prospects parsed one by one, mended where they have to be."""
        refused: dict[int, str] = {}
        for prospect in prospects:
            text = markup.text(prospect)
            original = _MARKED.sub(lambda m: f"\\x{ord(m[0]) - _MARK:02x}", text)
            raw = None if original == text else original
            text = _MARKED.sub("\ufffd", text)
            element = parse_prospect(escape_comments(text))
            if element is None:
                element, raw = parse_prospect(escape_comments(mend_prospect(text))), original
            if element is None:
                refused[number + prospect] = original
            else:
                yield number + prospect, read_prospect(element), raw
        reason = "the prospect is not well-formed XML, or nested too deeply"
        self._rejects.add(list(refused), "broken_xml", reason, list(refused.values()))

    def _extra(self, row: dict[str, str]) -> str | None:
        extra = {name: value for name, value in row.items() if name not in self._names}
        return json.dumps(extra, ensure_ascii=False) if extra else None


def find_codec(contract: Contract, path: Path) -> str:
    """The codec of an XML file: byte order mark, else its declaration, else what fits."""
    found = decide_encoding(path, contract.encodings)
    declared = _DECLARED.search(next(read_blocks(path, 1024), b""))
    if found.bom or found.is_wide or not declared:
        return "utf-8-sig" if found.codec == "utf-8" else found.codec
    name = declared[1].decode().lower()
    if name.startswith(("gb", "cp936", "utf")):
        # both are declared at random; the bytes know better
        return "utf-8-sig" if found.codec == "utf-8" else found.codec
    # of all that Python calls a codec, those that keep ASCII and stand for an alphabet
    if _ALPHABETS.fullmatch(name):
        with suppress(LookupError):
            return codecs.lookup(name).name
    return found.codec


def cut_prospects(texts: Iterator[bytes], tags: Tags) -> Iterator[Markup]:
    """Blocks of text with the whole prospects in each.

    Raises StreamError for entity declarations and for a file that ends within an element.
    """
    rest, open_roots, is_adf, is_within = b"", 0, False, False
    for text in texts:
        markup = Markup(rest + text if rest else text, tags)
        open_roots += markup.open_roots
        is_adf, is_within = is_adf or markup.has_roots, markup.is_within
        if len(markup.first):
            yield markup
        rest = markup.data[markup.consumed :]
        if len(rest) > _MAX_PROSPECT:
            raise StreamError("too_large", "a prospect is larger than 16 MiB")
    if open_roots > 0 or is_within:
        raise StreamError("truncated", "the file ends before </adf>")
    if not is_adf and rest.strip():
        raise StreamError("unreadable", "no <adf> element in the file")


def _bounded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks; raises StreamError where there are too many to be leads, packed or not."""
    left = MAX_XML_BYTES
    for block in blocks:
        left -= len(block)
        if left < 0:
            raise StreamError("too_large", f"more than {MAX_XML_BYTES >> 20} MiB of XML")
        yield block


def _check_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 text with marks for undecodable bytes, in pieces that end with a tag."""
    rest, is_first = b"", True
    for block in chain(blocks, [None]):
        data = rest + (block or b"")
        cut = len(data) if block is None else data.rfind(b">") + 1
        piece, rest = data[:cut], data[cut:]
        if len(rest) > _MAX_PROSPECT:
            raise StreamError("too_large", "a prospect is larger than 16 MiB")
        if is_first and cut:
            piece, is_first = piece.removeprefix(codecs.BOM_UTF8), False
        yield piece if is_utf8(piece) else _mark(piece.decode("utf-8", "surrogateescape"))


def _transcode(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    """Text of another codec as UTF-8, with marks for undecodable bytes."""
    errors = "surrogatepass" if codec.startswith("utf-16") else "surrogateescape"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    for block in blocks:
        yield _mark(decoder.decode(block))
    yield _mark(decoder.decode(b"", True))


def _mark(text: str) -> bytes:
    return _BAD_BYTE.sub(lambda m: chr(_MARK + (ord(m[0]) & 0xFF)), text).encode()
