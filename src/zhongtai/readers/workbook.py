"""What kind of file a workbook really is, and whether it is safe to open."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from zhongtai.printable import printable
from zhongtai.readers.ahead import produce_ahead
from zhongtai.readers.bytestream import in_words
from zhongtai.readers.records import FileRejected

Kind = Literal["xlsx", "xls", "text"]

# A sheet of 1,048,576 rows and 40 columns is 2 to 3 GB of XML and compresses 10 to 20 times.
MAX_INFLATED_BYTES = 4 << 30
_MAX_RATIO = 200
_RATIO_FLOOR = 64 << 20
# 256 columns and 65,536 rows a sheet: dozens of full sheets fit.
_MAX_BINARY_BYTES = 256 << 20
# What describes the sheets is held in memory; real ones take some megabytes at most.
_DESCRIBING = re.compile(r"xl/(?:workbook|styles)\.xml$|\.rels$")
_MAX_DESCRIBING_BYTES = 16 << 20
_ENCRYPTED = 1
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
# What Python raises for archives that contradict themselves.
DAMAGE = (
    zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DATE_1904 = re.compile(rb"<(?:\w{1,40}+:)?workbookPr\b[^<>]*?\bdate1904=[\"'](?:1|true)[\"']")
# The records of an .xls file: the first one (of BIFF8 or BIFF5), the date base, and those that
# only come after it. Together they fill less than a sector, so they lie in one piece.
_BIFF_BEGINNINGS = (b"\x09\x08\x10\x00\x00\x06\x05\x00", b"\x09\x08\x08\x00\x00\x05\x05\x00")
_DATEMODE, _EOF, _FONT, _BOUNDSHEET = 0x0022, 0x000A, 0x0031, 0x0085


@dataclass(frozen=True)
class Workbook:
    """A workbook that may be opened; `is_1904` is its date base."""

    path: Path
    kind: Kind
    is_1904: bool


def sniff_kind(path: Path) -> Kind:
    """By its first bytes, whatever the name says."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_ZIP_MAGIC):
        return "xlsx"
    return "xls" if head == _OLE_MAGIC else "text"


def check_workbook(path: Path) -> Workbook:
    """Look into a workbook without unpacking it.

    Raises FileRejected for a damaged archive, one that is no workbook, or a zip bomb.
    """
    if sniff_kind(path) == "xls":
        return _check_binary(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive)
            names = set(archive.namelist())
            if "xl/workbook.xml" not in names:
                held = printable(", ".join(sorted(names)[:3]))
                raise FileRejected("unreadable", f"a zip archive, but no .xlsx in it: {held}")
            if any(member.flag_bits & _ENCRYPTED for member in archive.infolist()):
                raise FileRejected("encrypted", "the archive is protected by a password")
            declared = archive.getinfo("xl/workbook.xml").file_size
            with archive.open("xl/workbook.xml") as file:
                text = file.read(min(declared, 1 << 20))
    except FileRejected:
        raise
    except DAMAGE as error:
        raise FileRejected("unreadable", f"a damaged workbook ({in_words(error)})") from error
    return Workbook(path, "xlsx", is_1904=bool(_DATE_1904.search(text)))


def read_member(archive: zipfile.ZipFile, name: str, first: int, size: int) -> Iterator[bytes]:
    """The inflated bytes of a member: a first block, for whoever wants no more, then larger ones.

    The larger ones are inflated ahead.
    """
    with archive.open(name) as file:
        if block := file.read(first):
            yield block
            yield from produce_ahead(iter(partial(file.read, size), b""))


def _check_binary(path: Path) -> Workbook:
    """A workbook of the old format, or the container of an encrypted one of the new."""
    if path.stat().st_size > _MAX_BINARY_BYTES:
        raise FileRejected("too_large", f"an .xls file of more than {_MAX_BINARY_BYTES >> 20} MiB")
    data = path.read_bytes()
    if _ENCRYPTED_STREAM in data:
        raise FileRejected("encrypted", "the workbook is protected by a password")
    return Workbook(path, "xls", is_1904=_has_biff_base_1904(data))


def _has_biff_base_1904(data: bytes) -> bool:
    """The date base by its record; the same bytes within a cell do not count."""
    starts = (data.find(beginning) for beginning in _BIFF_BEGINNINGS)
    at = min((start for start in starts if start >= 0), default=len(data))
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if kind == _DATEMODE:
            return data[at + 4 : at + 6] == b"\x01\x00"
        if kind in (_EOF, _FONT, _BOUNDSHEET):
            break
        at += 4 + size
    return False


def _check_size(archive: zipfile.ZipFile) -> None:
    inflated = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist())
    described = sum(m.file_size for m in archive.infolist() if _DESCRIBING.search(m.filename))
    if described > _MAX_DESCRIBING_BYTES:
        raise FileRejected("too_large", f"sheets and styles are described in {described} bytes")
    if inflated > MAX_INFLATED_BYTES or inflated > max(_RATIO_FLOOR, packed * _MAX_RATIO):
        raise FileRejected(
            "too_large",
            f"the workbook unpacks from {packed} to {inflated} bytes, which only a bomb does",
        )
