"""The XML of a worksheet as columns of text, found over whole blocks at once.

python-calamine reads every workbook, but makes an object of each cell. This reads the XML that
common writers produce at several times its speed, and gives up (Unusual) on anything else.
"""

import html
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.readers.block import text_ranges
from zhongtai.readers.encoding import is_utf8
from zhongtai.readers.grid import Grid, cell_text, serial_texts
from zhongtai.readers.records import FileRejected, int64_array, truth
from zhongtai.readers.words import PADDING, number_runs, parse_digits
from zhongtai.readers.workbook import read_member

_BLOCK = 1 << 22
# The first block is small: whoever looks for the header reads no more than that.
_FIRST_BLOCK = 64 << 10
_ROW_END = b"</row>"
MAX_ROW_BYTES = 16 << 20
# Cells and gaps between them in one block: all that 4 MiB of usual rows can hold, many times over.
_MOST_PLACES = 32 << 20
_CANONICAL = r"^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$"
_CANONICAL_LENGTH = 16
_DIGITS = 10 ** np.arange(1, 10)
_NOTHING = pa.array([""], pa.string())
# Kinds of tags, by their first two characters as a little-endian word.
_ROW, _CELL, _VALUE, _COMMENT = 1, 2, 3, 4


def _tell_kinds() -> Any:
    kinds = np.zeros(1 << 16, np.uint8)
    by_start = {
        _ROW: (b"ro",),
        _CELL: (b"c ", b"c>"),
        _VALUE: (b"v ", b"v>", b"t ", b"t>"),
        # comments and sections; phonetic readings
        _COMMENT: (b"rP", *(b"!" + bytes([follows]) for follows in range(256))),
    }
    for kind, starts in by_start.items():
        for start in starts:
            kinds[int.from_bytes(start, "little")] = kind
    return kinds


_KINDS = _tell_kinds()


class Unusual(Exception):  # noqa: N818 - a reason to take the other way
    """XML of a shape that is left to python-calamine."""


@dataclass(frozen=True)
class CellStyles:
    """Which cell formats (by index) show times: 0 none, 1 a moment, 2 a duration."""

    kinds: tuple[int, ...]
    is_1904: bool


def read_xml_grids(
    archive: zipfile.ZipFile, part: str, shared: Any, styles: CellStyles
) -> Iterator[Grid]:
    """Grids of the worksheet at `part`; `shared` is the string array of shared texts.

    Raises Unusual, at any grid, where the XML is not as the common writers write it, and
    FileRejected for rows that no table has.
    """
    rest, last = b"", 0
    shared = pa.concat_arrays([shared, _NOTHING])
    for block in read_member(archive, part, _FIRST_BLOCK, _BLOCK):
        data = rest + block if rest else block
        if not last:
            refuse_entities(data)
        cut = data.rfind(_ROW_END) + len(_ROW_END)
        if cut < len(_ROW_END):
            rest = data
            if len(rest) > MAX_ROW_BYTES:
                raise FileRejected("too_large", f"row {last + 1} of a sheet has over 16 MiB")
            continue
        grid = _Scan(data[:cut], shared, styles, last).grid()
        last = int(grid.numbers[-1])
        yield grid
        rest = data[cut:]
    if b"<row" in rest.replace(b"<rowBreaks", b"") or b":row" in rest:
        raise Unusual


def refuse_entities(data: bytes) -> None:
    """Raise FileRejected for XML that declares entities: no spreadsheet program does."""
    if b"<!ENTITY" in data:
        raise FileRejected("forbidden_xml", "the workbook declares entities of its own")


class _Scan:
    """One block of whole rows. The last of the `shared` texts is no text of the workbook: empty."""

    def __init__(self, data: bytes, shared: Any, styles: CellStyles, last: int) -> None:
        if not is_utf8(data):
            raise Unusual
        # a single byte is found many times as fast as several, and texts are elsewhere as a rule
        if b":" in data and b":row" in data:
            raise Unusual
        self.data, self.shared, self.styles = data, shared, styles
        self.buffer = buffer = np.frombuffer(data + bytes(PADDING), np.uint8)
        # "<" and ">" differ in one bit: both are found in one look
        marks = np.flatnonzero((buffer & 0xFD) == ord("<")).astype(np.int32)
        self.opens = opens = np.ascontiguousarray(marks[0::2])
        self.closes = closes = np.ascontiguousarray(marks[1::2])
        if len(opens) != len(closes) or (buffer.take(opens) != ord("<")).any():
            raise Unusual
        if (buffer.take(closes) != ord(">")).any():
            raise Unusual
        start = buffer.take(opens + 1).astype(np.uint16)
        start |= buffer.take(opens + 2).astype(np.uint16) << 8
        kinds = _KINDS.take(start)
        if (kinds == _COMMENT).any():
            raise Unusual
        self.is_row, self.is_cell = kinds == _ROW, kinds == _CELL
        values = np.flatnonzero(kinds == _VALUE)
        self.values = values[buffer.take(closes.take(values) - 1) != ord("/")]
        self.row_numbers = self._number_rows(last)

    def _number_rows(self, last: int) -> Any:
        rows = np.flatnonzero(self.is_row)
        following = np.arange(last + 1, last + 1 + len(rows), dtype=np.int64)
        # `<row r="`, the number, and a quotation mark where one more than before would end
        start = self.opens[rows] + 8
        end = start + self._count_digits(following)
        if len(rows) and end[-1] < len(self.data) and self._are_references(start - 3, end):
            numbers = parse_digits(self.buffer, start, end)
            if numbers is not None and np.array_equal(numbers, following):
                return following
        tags = self._texts(self.opens[rows], self.closes[rows])
        found = pc.extract_regex(tags, r'\sr="(?P<number>[0-9]+)"')
        if found.null_count == len(found):
            return following
        if found.null_count:
            raise Unusual
        numbers = _integers(pc.struct_field(found, "number"))
        if not len(numbers) or numbers[0] <= last or (np.diff(numbers) <= 0).any():
            raise Unusual
        return numbers

    def _count_digits(self, numbers: Any) -> Any:
        return 1 + np.searchsorted(_DIGITS, numbers, side="right")

    def _are_references(self, start: Any, end: Any) -> bool:
        """Whether `r="` stands behind a space at all of `start`, and a quotation mark at `end`."""
        buffer = self.buffer
        return bool(
            (
                (buffer[start - 1] == ord(" ")) & (buffer[start] == ord("r"))
                & (buffer[start + 1] == ord("=")) & (buffer[start + 2] == ord('"'))
                & (buffer[end] == ord('"'))
            ).all()
        )  # fmt: skip

    def _texts(self, start: Any, end: Any) -> Any:
        ranges = text_ranges(self.data, start, end)
        return ranges.take(int64_array(2 * np.arange(len(start))))

    def grid(self) -> Grid:
        """The rows of the block."""
        cell_of_value = np.cumsum(self.is_cell)[self.values] - 1
        cells = np.flatnonzero(self.is_cell)
        row = (np.cumsum(self.is_row)[cells] - 1)[cell_of_value]
        if len(cell_of_value) and (cell_of_value.min() < 0 or (np.diff(cell_of_value) == 0).any()):
            raise Unusual  # text of several parts
        column, start, end = self._place(cells[cell_of_value], row)
        own, positions, is_number = self._convert(start, end)
        height, width = len(self.row_numbers), int(column.max()) + 1 if len(column) else 0
        # a stray cell far to the right must not cost a place in each column before it
        used, column = _number_anew(column, width)
        if len(used) * height > _MOST_PLACES:
            raise FileRejected(
                "too_large",
                f"about row {self.row_numbers[0]} of a sheet, cells stand in {len(used)} columns",
            )
        place = np.full((len(used), height), len(positions), np.int64)
        place[column, row] = np.arange(len(positions))
        positions, is_number = np.append(positions, -1), np.append(is_number, False)
        columns = [pa.array([""] * height, pa.string())] * width
        are_numbers: list[Any] = [None] * width
        for position, places in zip(used.tolist(), place, strict=True):
            columns[position] = self._take(own, positions[places])
            are_numbers[position] = is_number[places]
        return Grid(self.row_numbers, columns, are_numbers, used.tolist())

    def _take(self, own: Any, positions: Any) -> Any:
        """Texts of a column: by position those of the workbook, behind them those of the block.

        -1 stands for an empty cell.
        """
        shared, most = self.shared, len(self.shared) - 1
        is_own = positions >= len(shared)
        if not is_own.any():
            return shared.take(int64_array(np.where(positions < 0, most, positions)))
        is_none = positions < 0
        if (is_own | is_none).all():
            return own.take(int64_array(np.where(is_none, len(own) - 1, positions - len(shared))))
        joined = pa.concat_arrays([shared, own])
        return joined.take(int64_array(np.where(is_none, most, positions)))

    def _place(self, cells: Any, row: Any) -> tuple[Any, Any, Any]:
        """Column (0-based) of the given cell tags, and where their other attributes stand."""
        buffer, at = self.buffer, self.opens[cells] + 6
        letters = [buffer[at + i].astype(np.int32) - 64 for i in range(3)]
        is_letter = [(n >= 1) & (n <= 26) for n in letters]
        two = is_letter[1]
        three = two & is_letter[2]
        column = letters[0]
        column = np.where(two, column * 26 + letters[1], column)
        column = np.where(three, column * 26 + letters[2], column)
        digits = self._count_digits(self.row_numbers)[row]
        end = (at + 1 + two + three + digits).astype(np.int32)
        if (end >= len(self.data)).any():
            raise Unusual
        if not is_letter[0].all() or not self._are_references(at - 3, end):
            raise Unusual
        return column - 1, end + 1, self.closes[cells]

    def _convert(self, start: Any, end: Any) -> tuple[Any, Any, Any]:
        """Values as text by the type and format of their cells, whose attributes stand there.

        Returns the texts of this block, the position of each value (among the shared texts, or,
        behind all of them, in that array, which ends with an empty text), and which are numbers.
        """
        names, meaning = self._read_meanings(start, end)
        pieces, positions = [], np.empty(len(meaning), np.int64)
        done = len(self.shared)
        for number, name in enumerate(names):
            which = np.flatnonzero(meaning == number)
            value = self.values[which]
            start, end = self.closes[value] + 1, self.opens[value + 1]
            if name == "s":
                positions[which] = self._read_indices(start, end)
                continue
            pieces.append(self._convert_all(self._texts(start, end), name))
            positions[which] = np.arange(done, done + len(which))
            done += len(which)
        is_number = meaning == names.index("n") if "n" in names else np.zeros(len(meaning), bool)
        return pa.concat_arrays([*pieces, _NOTHING]), positions, is_number

    def _read_meanings(self, start: Any, end: Any) -> tuple[list[str], Any]:
        """The distinct meanings of values, and the number of each value's."""
        runs = number_runs(self.buffer, start, end)
        if runs:
            examples, codes = runs
            texts = self._texts(start[np.sort(examples)], end[np.sort(examples)])
            distinct = texts.take(int64_array(np.argsort(np.argsort(examples)))).to_pylist()
        else:
            encoded = self._texts(start, end).dictionary_encode()
            distinct = encoded.dictionary.to_pylist()
            codes = np.frombuffer(encoded.indices.buffers()[1], np.int32, len(encoded))
        meanings = [_meaning(text, self.styles) for text in distinct]
        names = sorted(set(meanings))
        return names, np.array([names.index(m) for m in meanings], np.int32)[codes]

    def _read_indices(self, start: Any, end: Any) -> Any:
        """Which shared texts the values between are."""
        indices = parse_digits(self.buffer, start, end)
        if indices is None:
            indices = _integers(self._texts(start, end))
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self.shared) - 1:
            raise Unusual
        return indices

    def _convert_all(self, texts: Any, meaning: str) -> Any:
        if meaning == "n":
            return _number_texts(texts)
        if meaning == "moment":
            return self._moment_texts(texts)
        if meaning == "b":
            return pc.if_else(pc.equal(texts, "1"), "TRUE", "FALSE")
        if meaning == "e":
            return pa.array([""] * len(texts), pa.string())
        return unescape(texts)

    def _moment_texts(self, texts: Any) -> Any:
        serials = _floats(texts)
        if (serials < 61).any():
            raise Unusual  # a time of day, or the days before a leap day that never was
        return serial_texts(serials, is_1904=self.styles.is_1904)


def _meaning(attributes: str, styles: CellStyles) -> str:
    """What a value is, by the attributes of its cell."""
    given = dict(part.split("=", 1) for part in attributes.split())
    kind = given.get("t", '"n"').strip('"')
    style = int(given.get("s", '"0"').strip('"'))
    if kind not in ("s", "n", "b", "e", "str", "inlineStr"):
        raise Unusual
    shows = styles.kinds[style] if style < len(styles.kinds) else 0
    if kind != "n" or not shows:
        return "text" if kind in ("str", "inlineStr") else kind
    if shows == 2:
        raise Unusual
    return "moment"


def _number_anew(values: Any, bound: int) -> tuple[Any, Any]:
    """The distinct values in order and, for each value, its place there; all are below `bound`.

    What `np.unique` does by sorting.
    """
    is_there = np.zeros(bound, bool)
    is_there[values] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[values]


def _number_texts(texts: Any) -> Any:
    """Numbers without float noise or exponent; most are written so already."""
    is_plain = truth(pc.ascii_is_decimal(texts))
    is_plain &= ~truth(pc.starts_with(texts, "0")) | truth(pc.equal(texts, "0"))
    # whole numbers are told without a regular expression, ten times as fast
    others = np.flatnonzero(~is_plain)
    if len(others):
        some = texts.take(int64_array(others))
        is_plain[others] = truth(pc.match_substring_regex(some, _CANONICAL))
    is_plain &= truth(pc.less_equal(pc.binary_length(texts), _CANONICAL_LENGTH))
    odd = np.flatnonzero(~is_plain)
    if not len(odd):
        return texts
    distinct = texts.take(int64_array(odd)).dictionary_encode()
    mended = pa.array([_number_text(t) for t in distinct.dictionary.to_pylist()], pa.string())
    values = pa.concat_arrays([texts, mended])
    index = np.arange(len(texts))
    index[odd] = len(texts) + np.frombuffer(distinct.indices.buffers()[1], np.int32, len(odd))
    return values.take(int64_array(index))


def _number_text(text: str) -> str:
    try:
        return cell_text(float(text)) if text.strip() else ""
    except ValueError as error:
        raise Unusual from error


def may_hold_escapes(data: bytes) -> bool:
    """Whether any text of the XML may need `unescape`; far cheaper than looking at each."""
    return b"&" in data or b"\r" in data or b"_x" in data


def unescape(texts: Any) -> Any:
    """Resolve the entities of XML and the escapes of spreadsheets in a string array."""
    suspects = np.flatnonzero(truth(pc.match_substring_regex(texts, "&|_x[0-9A-Fa-f]{4}_|\r")))
    if not len(suspects):
        return texts
    some = texts.take(int64_array(suspects)).to_pylist()
    if any("_x" in text for text in some):
        raise Unusual
    resolved = pa.array([html.unescape(text.replace("\r\n", "\n")) for text in some], pa.string())
    index = np.arange(len(texts))
    index[suspects] = len(texts) + np.arange(len(suspects))
    return pa.concat_arrays([texts, resolved]).take(int64_array(index))


def _integers(texts: Any) -> Any:
    try:
        values = pc.cast(texts, pa.int64())
    except pa.ArrowInvalid as error:
        raise Unusual from error
    return np.frombuffer(values.buffers()[1], np.int64, len(values), values.offset * 8)


def _floats(texts: Any) -> Any:
    try:
        values = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid as error:
        raise Unusual from error
    return np.frombuffer(values.buffers()[1], np.float64, len(values), values.offset * 8)
