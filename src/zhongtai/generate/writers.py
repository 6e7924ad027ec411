"""Bytes of delimited text: CSV as spreadsheets and databases write it, GrowingIO's, and gzip."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array
from zhongtai.generate.mangling import UNDECODABLE
from zhongtai.generate.spelling import Spelled


@dataclass(frozen=True)
class Style:
    """How one file is written.

    `renamed` maps column names to other headers, `dropped` are left out, `extra` are added
    (header, text), `reverse` turns the order of the columns. `frills` names further oddities.
    """

    encoding: str = "utf-8"
    bom: bool = False
    delimiter: str = ","
    renamed: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    reverse: bool = False
    frills: frozenset[str] = frozenset()

    def including(self, *frills: str) -> "Style":
        """Return the style with further oddities."""
        return replace(self, frills=self.frills | set(frills))


def columns_of(spelled: Spelled, style: Style) -> list[str]:
    """Return the delivered columns of a file, in its order."""
    names = [name for name in spelled.frame.entity.columns if name not in style.dropped]
    return names[::-1] if style.reverse else names


def headers_of(names: Sequence[str], style: Style) -> list[str]:
    """Return the header of a file: its columns as this file calls them, then the extra ones."""
    renamed = dict(style.renamed)
    return [renamed.get(name, name) for name in names] + [header for header, _ in style.extra]


def csv_bytes(spelled: Spelled, rows: Array, style: Style) -> bytes:
    """Return a CSV file of these rows: doubled quotes, a newline at the end of each record."""
    names = columns_of(spelled, style)
    texts = [spelled.texts(name, rows) for name in names]
    texts += [pa.repeat(text, len(rows)) for _, text in style.extra]
    quoted = [quote(text, style.delimiter) for text in texts]
    header = style.delimiter.join(headers_of(names, style)) + "\n"
    lines = pc.binary_join_element_wise(*quoted, style.delimiter)
    body = text_of(pc.binary_join_element_wise(lines, "\n", ""))
    if "empty_rows" in style.frills:
        body = body + style.delimiter * (len(quoted) - 1) + "\n\n"
    if "totals_row" in style.frills:
        body = body + "合计" + style.delimiter * (len(quoted) - 1) + "\n"
    return encode(header + body, style)


def encode(text: str, style: Style) -> bytes:
    """Return the text in the style's encoding, with its byte order mark and its broken bytes."""
    data = text.encode(style.encoding)
    if UNDECODABLE in text:
        data = data.replace(UNDECODABLE.encode(style.encoding), b"\xff")
    if style.bom:
        data = "\ufeff".encode(style.encoding) + data
    return data


def quote(texts: pa.Array, delimiter: str) -> pa.Array:
    """Return the texts with quotes round those that need them."""
    special = pc.match_substring_regex(texts, f'["\\r\\n{delimiter}]')
    if not pc.any(special).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def growing_bytes(spelled: Spelled, rows: Array, style: Style) -> bytes:
    """Return a gzip CSV file in GrowingIO's dialect: every field quoted, escapes by backslash."""
    names = columns_of(spelled, style)
    fields = []
    for name in names:
        escaped = pc.replace_substring(spelled.texts(name, rows), "\\", "\\\\")
        fields.append(pc.replace_substring(escaped, '"', '\\"'))
    body = text_of(
        pc.binary_join_element_wise('"', pc.binary_join_element_wise(*fields, '","'), '"\n', "")
    )
    header = ",".join(headers_of(names, style)) + "\n"
    return compress(encode(header + body, style))


def compress(data: bytes) -> bytes:
    """Return gzip bytes that depend on the data only."""
    return gzip.compress(data, compresslevel=1, mtime=0)


def text_of(lines: pa.Array) -> str:
    """Return all strings of an array in a row, without copying each."""
    if len(lines) == 0:
        return ""
    lines = pa.concat_arrays([lines])
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[
        lines.offset : lines.offset + len(lines) + 1
    ]
    data = lines.buffers()[2]
    return bytes(memoryview(data)[offsets[0] : offsets[-1]]).decode() if data else ""


def deflated_zeros(size: int, block: int = 1 << 20) -> tuple[bytes, int]:
    """Return a raw deflate stream of `size` blanks (a multiple of `block`) and its CRC-32.

    One block is compressed and repeated, so that a bomb costs its maker nothing.
    """
    blanks = b" " * block
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(size // block):
        checksum = zlib.crc32(blanks, checksum)
    return first * (size // block) + b"\x03\x00", checksum
