"""Counts the rows of workbooks apart from the reader: by patterns over the XML of the sheets."""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from zhongtai.contracts import Contract
from zhongtai.readers.foreignbook import ForeignBook
from zhongtai.readers.header import (
    BLANK_CHARACTERS,
    HEADER_SEARCH_ROWS,
    find_header,
    is_blank,
    is_totals,
    names_enough,
)
from zhongtai.readers.records import FileRejected
from zhongtai.readers.sheetxml import MAX_ROW_BYTES
from zhongtai.readers.workbook import DAMAGE, check_workbook, read_member

_BLOCK = 4 << 20
# The header stands in the first block, whose rows are looked at one by one.
_FIRST_BLOCK = 64 << 10
# None of these patterns looks further than the next tag of its kind, so that no arrangement of
# tags that are never closed makes them slow.
_SHEET = re.compile(r"<(?:\w{1,40}+:)?sheet\b([^<>]*+)>")
_RELATION = re.compile(r"<(?:\w{1,40}+:)?Relationship\b([^<>]*+)>")
_ATTRIBUTE = re.compile(r"(?<![\w:])([\w:]++)\s*+=\s*+[\"']([^\"']*+)[\"']")
_ITEM = re.compile(
    rb"<(?:\w{1,40}+:)?si\b[^<>]*+(?:(?<=/)>|(?<!/)>"
    rb"((?:[^<]++|<(?!/?(?:\w{1,40}+:)?si\b))*+)</(?:\w{1,40}+:)?si>)"
)
_PLAIN_ITEM = re.compile(rb"<si><t(?: [^<>]*+)?(?<!/)>([^<]*+)</t></si>")
# The last character of each totals word.
_TOTALS_END = "计".encode()
_BLANK_STARTS = bytes({char.encode()[0] for char in BLANK_CHARACTERS + "\r\n"})
# A text that is empty or begins like a blank one.
_BLANK_START = re.compile(rb"<t(?: [^<>]*+)?>[<" + re.escape(_BLANK_STARTS) + rb"]")
_PHONETIC = re.compile(
    rb"<(?:\w{1,40}+:)?rPh\b(?:[^<]++|<(?!/?(?:\w{1,40}+:)?rPh\b))*+</(?:\w{1,40}+:)?rPh>"
)
_TEXT = re.compile(rb"<(?:\w{1,40}+:)?t\b[^<>]*+>([^<]*+)</(?:\w{1,40}+:)?t>")
_ROW = re.compile(
    rb"<(?:\w{1,40}+:)?row\b([^<>]*+)(?:(?<=/)>|(?<!/)>"
    rb"((?:[^<]++|<(?!/?(?:\w{1,40}+:)?row\b))*+)</(?:\w{1,40}+:)?row>)"
)
_CELL = re.compile(
    rb"<(?:\w{1,40}+:)?c\b([^<>]*+)(?:(?<=/)>|(?<!/)>"
    rb"((?:[^<]++|<(?!/?(?:\w{1,40}+:)?c\b))*+)</(?:\w{1,40}+:)?c>)"
)
_VALUE = re.compile(rb"<(?:\w{1,40}+:)?v\b[^<>]*+>([^<]*+)</(?:\w{1,40}+:)?v>")
# A row whose first filled cell holds a shared text or a number: its type and value.
_FIRST_CELL = (
    rb"<row\b[^<>]*+>(?:<c\b[^<>]*+(?<=/)>)*+"
    rb"<c\b[^<>t]*+(?:t(?!=)[^<>t]*+)*+(?:t=[\"'](s|n)[\"'][^<>]*+)?(?<!/)><v>([0-9.]++)</v>"
)
_ANYWHERE, _BEHIND_ZERO = re.compile(_FIRST_CELL), re.compile(rb"\0" + _FIRST_CELL)
# How much of a row is looked at for its first filled cell before all of it is.
_ROW_START = 112
_CLOSING = re.compile(rb"</(?:\w+:)?\Z")
_CELL_TYPE = re.compile(rb"\bt=[\"'](\w+)[\"']")
_ROW_NUMBER = re.compile(rb"\br=[\"'](\d+)[\"']")


class _Cell(NamedTuple):
    """A filled cell: its text, or the index of its text among the shared ones."""

    text: str
    shared: int = -1


@dataclass
class _Part:
    """One visible sheet within the archive: its first rows, and the row its header is in."""

    name: str
    head: list[tuple[int, list[_Cell]]]
    header_row: int = -1
    has_rows: bool = False


@dataclass
class _Shared:
    """What must be known of the shared texts: which are blank, which begin a totals row."""

    blank: set[int] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    wanted: dict[int, str] = field(default_factory=dict)


def count_sheets(contract: Contract, path: Path) -> int:
    """Rows below the header in every visible sheet that has one; 0 for an unreadable workbook."""
    try:
        book = check_workbook(path)
        if book.kind == "xls":
            return _count_binary(contract, path)
        with zipfile.ZipFile(path) as archive:
            return _count_parts(contract, archive)
    except (FileRejected, *DAMAGE, LookupError):
        return 0


def _count_parts(contract: Contract, archive: zipfile.ZipFile) -> int:
    parts = [_Part(name, list(_head(archive, name))) for name in _visible_parts(archive)]
    wanted = {cell.shared for part in parts for _, row in part.head for cell in row}
    shared = _read_shared(archive, wanted)
    for part in parts:
        _locate_header(contract, part, shared)
    counted = [part for part in parts if part.has_rows] or [
        part for part in parts if part.header_row >= 0
    ]
    return sum(_count_part(archive, part, shared) for part in counted)


def _count_part(archive: zipfile.ZipFile, part: _Part, shared: _Shared) -> int:
    """The rows of a sheet: each block of XML by one pattern if that finds all of its rows."""
    no_rows = {b"%d" % index for index in shared.blank | shared.totals}
    rows, last = 0, 0
    for block in _blocks(archive, part.name, b"row"):
        cells = _first_cells(block) if last >= part.header_row else None
        has_others = no_rows and any(
            kind == b"s" and value in no_rows for kind, value in cells or ()
        )
        if cells is not None and not has_others:
            rows += len(cells)
            continue
        for number, row in _rows(block, last):
            rows += number > part.header_row and _is_row(row, shared)
            last = number
    return rows


def _first_cells(block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Type and value of the first filled cell of each row; None where one begins otherwise."""
    import numpy as np

    buffer = np.frombuffer(block + bytes(_ROW_START), np.uint8)
    starts = np.flatnonzero((buffer[:-1] == ord("<")) & (buffer[1:] == ord("r")))
    starts = starts[(buffer[starts + 2] == ord("o")) & (buffer[starts + 3] == ord("w"))]
    if b"\0" not in block:
        # a pattern over the starts of the rows alone has a tenth to read
        pieces = np.zeros((len(starts), 1 + _ROW_START), np.uint8)
        pieces[:, 1:] = np.lib.stride_tricks.sliding_window_view(buffer, _ROW_START)[starts]
        cells = _BEHIND_ZERO.findall(pieces.data)
        if len(cells) == len(starts):
            return cells
    cells = _ANYWHERE.findall(block)
    return cells if len(cells) == len(starts) else None


def _visible_parts(archive: zipfile.ZipFile) -> list[str]:
    """The archive members of the visible worksheets, in order."""
    relations = {}
    for match in _RELATION.finditer(archive.read("xl/_rels/workbook.xml.rels").decode()):
        attributes = dict(_ATTRIBUTE.findall(match[1]))
        if attributes.get("Type", "").endswith("/worksheet"):
            target = attributes["Target"]
            relations[attributes["Id"]] = target[1:] if target[0] == "/" else f"xl/{target}"
    parts = []
    for match in _SHEET.finditer(archive.read("xl/workbook.xml").decode()):
        attributes = {k.split(":")[-1]: v for k, v in _ATTRIBUTE.findall(match[1])}
        if attributes.get("state", "visible") == "visible" and attributes.get("id") in relations:
            parts.append(relations[attributes["id"]])
    return parts


def _blocks(archive: zipfile.ZipFile, name: str, tag: bytes) -> Iterator[bytes]:
    """A member of the archive in blocks, each up to the end of an element `tag`."""
    rest = b""
    for block in read_member(archive, name, min(_FIRST_BLOCK, _BLOCK), _BLOCK):
        data = rest + block
        if len(data) > MAX_ROW_BYTES + _BLOCK:
            # the reader refuses what has such rows
            return
        end = _last_end(data, tag)
        if end:
            yield data[:end]
        rest = data[end:]
    yield rest


def _last_end(data: bytes, tag: bytes) -> int:
    """Where the last closing tag ends, with the prefix of a name space or without; 0 for none."""
    end = len(data)
    while (at := data.rfind(tag + b">", 0, end)) >= 0:
        if _CLOSING.search(data, max(0, at - 80), at):
            return at + len(tag) + 1
        end = at
    return 0


def _rows(block: bytes, number: int) -> Iterator[tuple[int, Iterator[_Cell]]]:
    """Row numbers (1-based) with the filled cells of each row, read on demand.

    `number` is that of the row before the block.
    """
    for match in _ROW.finditer(block):
        given = _ROW_NUMBER.search(match[1])
        number = int(given[1]) if given else number + 1
        yield number, _cells(match[2] or b"")


def _cells(row: bytes) -> Iterator[_Cell]:
    for match in _CELL.finditer(row):
        if not match[2]:
            continue
        found = _CELL_TYPE.search(match[1])
        kind = found[1] if found else b"n"
        value = _VALUE.search(match[2])
        if kind == b"inlineStr":
            yield _Cell(_plain_text(match[2]))
        elif kind == b"s" and value:
            yield _Cell("", int(value[1]))
        elif kind != b"e" and value:
            yield _Cell(unescape(value[1].decode("utf-8", "replace")))


def _head(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, list[_Cell]]]:
    last = 0
    for block in _blocks(archive, name, b"row"):
        for number, cells in _rows(block, last):
            if number > HEADER_SEARCH_ROWS:
                return
            yield number, list(cells)
            last = number


def _plain_text(item: bytes) -> str:
    """The text of a shared or inline string without its phonetic guide."""
    return unescape(_item_text(item).decode("utf-8", "replace"))


def _read_shared(archive: zipfile.ZipFile, wanted: set[int]) -> _Shared:
    shared = _Shared()
    base = 0
    with suppress(KeyError):
        for block in _blocks(archive, "xl/sharedStrings.xml", b"si"):
            items = _PLAIN_ITEM.findall(block)
            suspects: Iterable[int] = (index - base for index in wanted)
            if len(items) != block.count(b"<si"):
                items = [_item_text(match[1] or b"") for match in _ITEM.finditer(block)]
                suspects = range(len(items))
            elif b"&" in block or _TOTALS_END in block or _BLANK_START.search(block):
                suspects = range(len(items))
            for place in suspects:
                if 0 <= place < len(items):
                    _judge_shared(items[place], base + place, wanted, shared)
            base += len(items)
    return shared


def _item_text(item: bytes) -> bytes:
    """The text of a shared item without its phonetic guide, still with entities."""
    return b"".join(_TEXT.findall(_PHONETIC.sub(b"", item)))


def _judge_shared(item: bytes, index: int, wanted: set[int], shared: _Shared) -> None:
    """Note a shared text that is blank, begins a totals row or is wanted."""
    # only such a text can be blank or a totals word
    is_suspect = not item or item[0] in _BLANK_STARTS or _TOTALS_END in item or b"&" in item
    if not is_suspect and index not in wanted:
        return
    text = unescape(item.decode("utf-8", "replace"))
    if is_blank(text):
        shared.blank.add(index)
    elif is_totals([text]):
        shared.totals.add(index)
    if index in wanted:
        shared.wanted[index] = text


def _locate_header(contract: Contract, part: _Part, shared: _Shared) -> None:
    """Find the header's row, and whether it is the entity's."""
    texts = [
        [cell.text if cell.shared < 0 else shared.wanted.get(cell.shared, "") for cell in cells]
        for _, cells in part.head
    ]
    position = find_header(contract, texts)
    if position < 0:
        return
    part.header_row = part.head[position][0]
    part.has_rows = names_enough(contract, texts[position])


def _is_row(cells: Iterator[_Cell], shared: _Shared) -> bool:
    """Whether a row is filled, and no totals row by its first filled cell."""
    for cell in cells:
        if cell.shared in shared.blank or (cell.shared < 0 and is_blank(cell.text)):
            continue
        return cell.shared not in shared.totals and not is_totals([cell.text])
    return False


def _count_binary(contract: Contract, path: Path) -> int:
    """The old binary format: whole rows of cells instead of XML."""
    of_entity = others = 0
    with suppress(FileRejected):
        book = ForeignBook(path)
        for name, is_visible in book.sheets:
            rows = book.rows(name) if is_visible else iter(())
            first = list(islice(rows, HEADER_SEARCH_ROWS))
            head = [[str(cell) for cell in row if cell != ""] for row in first]
            position = find_header(contract, head)
            if position < 0:
                continue
            count = sum(map(_is_binary_row, chain(first[position + 1 :], rows)))
            if names_enough(contract, head[position]):
                of_entity += count
            else:
                others += count
    return of_entity or others


def _is_binary_row(cells: Sequence[object]) -> bool:
    """Whether a row is filled, and no totals row by its first filled cell."""
    for cell in cells:
        text = cell if type(cell) is str else str(cell)
        if not is_blank(text):
            return not is_totals([text])
    return False
