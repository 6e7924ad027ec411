"""What kind of file a workbook really is, and whether it is safe to open."""

import re
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
# The BIFF record that tells the date base of an .xls file.
_DATEMODE_1904 = b"\x22\x00\x02\x00\x01\x00"


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
        return Workbook(path, "xls", is_1904=_DATEMODE_1904 in path.read_bytes())
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


def _check_size(archive: zipfile.ZipFile) -> None:
    inflated = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist())
    if inflated > MAX_INFLATED_BYTES or inflated > max(_RATIO_FLOOR, packed * _MAX_RATIO):
        raise FileRejected(
            "too_large",
            f"the workbook unpacks from {packed} to {inflated} bytes",
            hint="export fewer rows per file; a bomb like this is never opened",
        )
