"""Workbooks of the old kind (.xls, BIFF8) for the benchmarks: no program of today writes them."""

import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

MOST_ROWS = 65_536
_SECTOR = 4096
_MOST_IN_RECORD = 8224
_END, _FAT, _FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


def write_old_workbook(
    file: Path, name: str, rows: Iterable[list[str | float]], columns: int
) -> None:
    """One visible sheet: numbers as numbers, texts as shared texts, empty texts left out.

    Raises ValueError for more rows than such a sheet has.
    """
    shared: dict[str, int] = {}
    cells = bytearray()
    count = 0
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            raise ValueError(f"a sheet of this kind has at most {MOST_ROWS} rows")
        count = number + 1
        for place, value in enumerate(row):
            if isinstance(value, str):
                if value:
                    at = shared.setdefault(value, len(shared))
                    cells += struct.pack("<HHHHHI", 0x00FD, 10, number, place, 0, at)
            else:
                cells += struct.pack("<HHHHHd", 0x0203, 14, number, place, 0, value)
    stream = _beginning(name, shared)
    stream += _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    stream += _record(0x0200, struct.pack("<IIHHH", 0, count, 0, columns, 0))
    file.write_bytes(_compound(stream + bytes(cells) + _record(0x000A, b"")))


def _beginning(name: str, shared: Iterable[str]) -> bytes:
    """The records before the sheet; the first of them say where it begins."""
    first = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    first += _record(0x0042, struct.pack("<H", 1200)) + _record(0x0022, struct.pack("<H", 0))
    rest = b"".join(_shared_texts(list(shared))) + _record(0x000A, b"")
    title = struct.pack("<BB", len(name), 1) + name.encode("utf-16-le")
    at = len(first) + 4 + 6 + len(title) + len(rest)
    return first + _record(0x0085, struct.pack("<IBB", at, 0, 0) + title) + rest


def _shared_texts(texts: list[str]) -> Iterator[bytes]:
    """The shared texts; a record that is full is continued at the next text."""
    kind, body = 0x00FC, struct.pack("<II", len(texts), len(texts))
    for text in texts:
        coded = text.encode("utf-16-le")
        part = struct.pack("<HB", len(coded) // 2, 1) + coded
        if len(body) + len(part) > _MOST_IN_RECORD:
            yield _record(kind, body)
            kind, body = 0x003C, b""
        body += part
    yield _record(kind, body)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: bytes) -> bytes:
    """The file that holds the stream: header, stream, directory, and which sector follows which."""
    padded = stream.ljust(max(_pad(len(stream)), _SECTOR), b"\0")
    sectors = len(padded) // _SECTOR
    tables = 1
    while tables * _SECTOR // 4 < sectors + 2 + tables:
        tables += 1
    # the stream, the directory, what holds small streams (there are none), this table
    following = chain(range(1, sectors), [_END] * 3, [_FAT] * tables)
    table = b"".join(struct.pack("<I", sector) for sector in following)
    directory = _entry("Root Entry", 5, child=1, start=sectors + 1)
    directory += _entry("Workbook", 2, size=len(padded))
    places = [sectors + 2 + number for number in range(tables)]
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 4, 0xFFFE, 12, 6, b"",
        1, tables, sectors, 0, 4096, _END, 0, _END, 0,
    )  # fmt: skip
    header += struct.pack("<109I", *places, *[_FREE] * (109 - tables))
    return b"".join(
        (
            header.ljust(_SECTOR, b"\0"),
            padded,
            directory.ljust(2 * _SECTOR, b"\0"),
            table.ljust(tables * _SECTOR, b"\xff"),
        )
    )


def _entry(name: str, kind: int, *, child: int = _FREE, start: int = 0, size: int = 0) -> bytes:
    coded = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16sIQQIQ",
        coded, len(coded), kind, 1, _FREE, _FREE, child, b"", 0, 0, 0, start, size,
    )  # fmt: skip


def _pad(size: int) -> int:
    return -(-size // _SECTOR) * _SECTOR
