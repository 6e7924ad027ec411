"""What the cells of a workbook refer to: its sheets, shared texts and number formats."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pyarrow as pa

from zhongtai.readers.block import text_ranges
from zhongtai.readers.encoding import is_utf8
from zhongtai.readers.records import FileRejected, int64_array
from zhongtai.readers.sheetxml import (
    CellStyles,
    Unusual,
    may_hold_escapes,
    refuse_entities,
    unescape,
)

_MAX_SHARED_BYTES = 1 << 30
_MOST_TAGS = 64_000_000
# The places of all tags of a part are held at once, and take several times its size.
_PART_BYTES = 16 << 20
_LONGEST_CODE = 1024
_BUILT_IN_MOMENTS = {*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)}
_BUILT_IN_DURATION = 46
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_DATE_LETTER = re.compile("[ymdhs]", re.IGNORECASE)


@dataclass(frozen=True)
class SheetPart:
    """A worksheet of the archive."""

    name: str
    member: str
    is_visible: bool


def list_sheets(archive: zipfile.ZipFile) -> list[SheetPart]:
    """The worksheets in order; charts and macro sheets are none."""
    targets = {}
    for relation in _root(archive, "xl/_rels/workbook.xml.rels"):
        if relation.get("Type", "").endswith("/worksheet"):
            target = PurePosixPath("/xl", relation.get("Target", ""))
            targets[relation.get("Id")] = str(target).removeprefix("/")
    sheets = []
    for element in _root(archive, "xl/workbook.xml").iter():
        attributes = {_local(name): value for name, value in element.attrib.items()}
        if _local(element.tag) == "sheet" and attributes.get("id") in targets:
            is_visible = attributes.get("state", "visible") == "visible"
            sheets.append(SheetPart(attributes["name"], targets[attributes["id"]], is_visible))
    return sheets


def read_styles(archive: zipfile.ZipFile, *, is_1904: bool) -> CellStyles:
    """Which cell formats show times."""
    if "xl/styles.xml" not in archive.namelist():
        return CellStyles((), is_1904)
    root = _root(archive, "xl/styles.xml")
    codes = {
        element.get("numFmtId"): element.get("formatCode", "")
        for element in root.iter()
        if _local(element.tag) == "numFmt"
    }
    kinds = []
    for formats in root:
        if _local(formats.tag) == "cellXfs":
            for element in formats:
                number = element.get("numFmtId", "0")
                kinds.append(_format_kind(int(number), codes.get(number)))
    return CellStyles(tuple(kinds), is_1904)


def _format_kind(number: int, code: str | None) -> int:
    if code is None:
        return 2 if number == _BUILT_IN_DURATION else int(number in _BUILT_IN_MOMENTS)
    bare = _NO_CODE.sub("", code[:_LONGEST_CODE].split(";")[0])
    if _ELAPSED.search(bare):
        return 2
    return int(bool(_DATE_LETTER.search(bare)) and bare.lower() != "general")


def read_shared_texts(archive: zipfile.ZipFile) -> Any:
    """The shared texts as a string array.

    Raises Unusual where some have parts of their own format or are no UTF-8, FileRejected where
    there are too many to hold.
    """
    if "xl/sharedStrings.xml" not in archive.namelist():
        return pa.array([], pa.string())
    if archive.getinfo("xl/sharedStrings.xml").file_size > _MAX_SHARED_BYTES:
        raise FileRejected("too_large", f"over {_MAX_SHARED_BYTES >> 20} MiB of shared texts")
    data = archive.read("xl/sharedStrings.xml")
    if data.count(b"<") > _MOST_TAGS:
        raise FileRejected("too_large", f"over {_MOST_TAGS} tags in the shared texts")
    refuse_entities(data)
    if not is_utf8(data):
        raise Unusual
    if b"<!" in data or b"<r>" in data or b"<rPh" in data or b":si" in data or b"<t/>" in data:
        raise Unusual
    parts = [_texts_of(part) for part in _split_items(data)]
    found = pa.concat_arrays(parts) if len(parts) > 1 else parts[0]
    return unescape(found) if may_hold_escapes(data) else found


def _split_items(data: bytes) -> Iterator[bytes]:
    """The XML in parts, each of which but the first begins with an item."""
    start = 0
    while len(data) - start > _PART_BYTES:
        cut = data.find(b"<si>", start + _PART_BYTES)
        if cut < 0:
            break
        yield data[start:cut]
        start = cut
    yield data[start:] if start else data


def _texts_of(data: bytes) -> Any:
    """The texts of whole items, one of each. Raises Unusual where that is not so."""
    items = data.count(b"<si>") + data.count(b"<si/>")
    buffer = np.frombuffer(data + b"\0\0", np.uint8)
    opens = np.flatnonzero(buffer == ord("<"))
    closes = np.flatnonzero(buffer == ord(">"))
    if len(opens) != len(closes) or (opens[1:] < closes[:-1]).any():
        raise Unusual
    follows = buffer[opens + 2]
    is_text = (buffer[opens + 1] == ord("t")) & ((follows == ord(">")) | (follows == ord(" ")))
    texts = np.flatnonzero(is_text)
    if len(texts) != items or (buffer[closes[texts] - 1] == ord("/")).any():
        raise Unusual
    if len(texts) and texts[-1] + 1 == len(opens):
        raise Unusual  # the XML breaks off within the last text
    ranges = text_ranges(data, closes[texts] + 1, opens[texts + 1])
    return ranges.take(int64_array(2 * np.arange(len(texts))))


def _root(archive: zipfile.ZipFile, member: str) -> Element:
    from defusedxml.ElementTree import fromstring

    data = archive.read(member)
    refuse_entities(data)
    root: Element = fromstring(data, forbid_dtd=True)
    return root


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]
