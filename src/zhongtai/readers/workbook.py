"""What kind of file a workbook really is, and whether it is safe to open."""

import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zhongtai.readers.records import FileRejected

Kind = Literal["xlsx", "xls", "text"]

# A sheet of 1,048,576 rows and 40 columns is 2 to 3 GB of XML and compresses 10 to 20 times.
MAX_INFLATED_BYTES = 4 << 30
_MAX_RATIO = 200
_RATIO_FLOOR = 64 << 20
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DATE_1904 = re.compile(rb"<(?:\w+:)?workbookPr\b[^>]*\bdate1904=[\"'](?:1|true)[\"']")
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
        return Workbook(path, "xls", is_1904=_has_biff_base_1904(path.read_bytes()))
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive)
            names = set(archive.namelist())
            if "xl/workbook.xml" not in names:
                raise FileRejected("unreadable", "a zip archive, but no workbook in it")
            declared = archive.getinfo("xl/workbook.xml").file_size
            with archive.open("xl/workbook.xml") as file:
                text = file.read(min(declared, 1 << 20))
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise FileRejected("unreadable", f"a damaged workbook ({error})") from error
    return Workbook(path, "xlsx", is_1904=bool(_DATE_1904.search(text)))


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
    if inflated > MAX_INFLATED_BYTES or inflated > max(_RATIO_FLOOR, packed * _MAX_RATIO):
        raise FileRejected(
            "too_large",
            f"the workbook unpacks from {packed} to {inflated} bytes",
            hint="export fewer rows per file; a bomb like this is never opened",
        )
