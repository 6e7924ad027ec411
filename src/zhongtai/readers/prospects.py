"""Reads the prospects of a block together, those of the same shape as one; leaves out odd ones."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import XML, ParseError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.readers.block import text_ranges
from zhongtai.readers.markup import CLOSE, ODD, OPEN, Markup, Tags
from zhongtai.readers.prospect import COLLAPSED, IDEOGRAPHS, collapse_blanks
from zhongtai.readers.records import int64_array, truth
from zhongtai.readers.shape import Fill, Pieces, Shape, learn_shape

# A shape of fewer prospects in a block is not worth learning.
_FEWEST = 4
_FORBIDDEN = np.zeros(256, bool)
_FORBIDDEN[[byte for byte in range(32) if byte not in b"\t\n\r"]] = True
# How no characters of XML begin in UTF-8, and those that stand for undecodable bytes: two bytes,
# and the least that the third is.
_NO_CHARACTERS = ((0xEF, 0xBF, 0xBE), (0xF4, 0x8F, 0xBC))
_IS_SPACE = np.zeros(256, bool)
_IS_SPACE[list(b" \t\r\n")] = True
# What a blank may begin with, in UTF-8; where most of such characters are none, see `_ends_blank`.
_BLANK_LEADS = np.zeros(256, bool)
_BLANK_LEADS[[*range(33), 0xC2, 0xE1, 0xE2]] = True
_CDATA = re.compile(rb"<!\[CDATA\[((?:[^\]\r]++|\](?!\]>))*+)\]\]>")
_UNEVEN = "[\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|  "
_IN_JSON = r'["\\\x00-\x1f]'


@dataclass(frozen=True)
class Gathered:
    """Columns of a block, an element for each prospect; where not `is_read` it means nothing."""

    columns: dict[str, Any]
    extra: Any
    is_read: Any


class ProspectReader:
    """Reads blocks of one file; what it learnt from one serves the next."""

    def __init__(self, names: Sequence[str]) -> None:
        self.tags = Tags()
        self._names = names
        self._shapes: dict[bytes, Shape | None] = {}

    def read(self, markup: Markup) -> Gathered:
        """The prospects of a block."""
        texts = _Texts(markup)
        sheet = _Sheet(texts, [*self._names, ""])
        for rows, places in texts.alike():
            shape = self._shape(texts, places)
            if shape:
                sheet.fill(shape, rows, texts.first[rows])
        columns = {name: sheet.column(name) for name in (*self._names, "")}
        extra = columns.pop("")
        return Gathered(columns, extra, sheet.is_read)

    def _shape(self, texts: "_Texts", places: Any) -> Shape | None:
        key = texts.features[places].tobytes()
        if key not in self._shapes:
            tags = [self.tags.tags[code] for code in texts.codes[places].tolist()]
            filled, marked = texts.is_filled[places].tolist(), texts.in_ideographs[places].tolist()
            self._shapes[key] = learn_shape(tags, filled, marked, self._names)
        return self._shapes[key]


class _Texts:
    """The tags within prospects and the text after each; `first` is where a prospect begins.

    `values` holds the texts; that after tag `i` is at `place[i]`, which means nothing for one that
    stands between elements. `features` is what makes up the shape.
    """

    def __init__(self, markup: Markup) -> None:
        self.markup = markup
        counts = markup.last - markup.first + 1
        self.first = np.cumsum(counts) - counts
        self.owner = np.repeat(np.arange(len(counts)), counts)
        tokens = np.arange(len(self.owner)) + (markup.first - self.first)[self.owner]
        self.codes = markup.codes[tokens]
        self.start = markup.end[tokens]
        self.stop = np.append(markup.start[1:], len(markup.data))[tokens]
        is_last = np.zeros(len(tokens), bool)
        is_last[self.first + counts - 1] = True
        form = markup.tags.form[self.codes]
        self.is_text = (form == OPEN) & np.append(form[1:] == CLOSE, False) & ~is_last
        self.is_odd = np.zeros(len(counts), bool)
        self.is_odd[self.owner[(form == ODD) | (self.stop < self.start)]] = True
        self.is_odd[self._find_owners(_find_forbidden(markup))] = True
        self._check_gaps(np.flatnonzero(~self.is_text & ~is_last & (self.stop > self.start)))
        self.is_filled = self.is_text & (self.stop > self.start)
        self.place = np.zeros(len(tokens), np.int64)
        self.values = self._find_values(np.flatnonzero(self.is_filled))
        self.in_ideographs = self._find_ideographs()
        canon = markup.tags.canon[self.codes]
        self.features = canon * 4 + self.is_filled + 2 * self.in_ideographs

    def _find_owners(self, positions: Any) -> Any:
        """The prospects in which the positions of the block lie."""
        markup = self.markup
        found = np.searchsorted(markup.start[markup.first], positions, side="right") - 1
        return found[(found >= 0) & (positions < markup.end[markup.last[found]])]

    def _check_gaps(self, gaps: Any) -> None:
        """Text between elements makes a prospect odd."""
        if not len(gaps):
            return
        bounds = np.stack([self.start[gaps], self.stop[gaps]], axis=1).ravel()
        is_other = ~_IS_SPACE[self.markup.buffer]
        self.is_odd[self.owner[gaps[np.logical_or.reduceat(is_other, bounds)[::2]]]] = True

    def _find_values(self, texts: Any) -> Any:
        """The texts as an array; those with entities, sections or blanks around are resolved."""
        start, stop, data = self.start[texts], self.stop[texts], self.markup.data
        self.place[texts] = 2 * np.arange(len(texts))
        resolved: list[str] = []
        for at in np.flatnonzero(self._find_special(start, stop)).tolist():
            text = _resolve(data[start[at] : stop[at]])
            if text is None:
                self.is_odd[self.owner[texts[at]]] = True
            self.is_filled[texts[at]] = bool(text)
            self.place[texts[at]] = 2 * len(texts) + len(resolved)
            resolved.append(text or "")
        ranges = text_ranges(data, start, stop)
        return pa.concat_arrays([ranges, pa.array(resolved, pa.string())])

    def _find_special(self, start: Any, stop: Any) -> Any:
        buffer, data = self.markup.buffer, self.markup.data
        if not len(start):
            return np.zeros(0, bool)
        special = _BLANK_LEADS[buffer[start]] | _is_ideographic_space(buffer, start)
        special |= _ends_blank(buffer, stop)
        found = [np.flatnonzero(buffer == byte) for byte in b"&\r" if byte in data]
        positions = np.concatenate([self.markup.sections[0], *found])
        at = np.searchsorted(start, positions, side="right") - 1
        special[at[(at >= 0) & (positions < stop[at])]] = True
        return special

    def _find_ideographs(self) -> Any:
        """Which first and last names hold ideographs: that decides how they are joined."""
        tags = self.markup.tags
        is_name = np.array([tag.is_part_of_name for tag in tags.tags], bool)
        found = np.zeros(len(self.codes), bool)
        names = np.flatnonzero(is_name[self.codes] & self.is_filled)
        if len(names):
            texts = self.values.take(int64_array(self.place[names]))
            found[names] = truth(pc.match_substring_regex(texts, IDEOGRAPHS))
        return found

    def alike(self) -> Any:
        """Groups of prospects of the same shape: their numbers, and the tags of one of them."""
        count = len(self.first)
        if not count:
            return
        length = np.diff(np.append(self.first, len(self.owner)))
        within = np.arange(len(self.owner)) - self.first[self.owner]
        weights = np.random.default_rng(1).integers(1, 1 << 62, int(length.max()), np.uint64)
        mixed = (self.features.astype(np.uint64) + np.uint64(1)) * weights[within]
        sums = np.add.reduceat(mixed ^ (mixed >> np.uint64(29)), self.first)
        _, group, sizes = np.unique(sums, return_inverse=True, return_counts=True)
        by_group = np.argsort(group, kind="stable")
        for rows in np.split(by_group, np.cumsum(sizes)[:-1]):
            good = rows[~self.is_odd[rows]]
            if len(good) < min(_FEWEST, count):
                continue
            places = self.first[good[0]] + np.arange(length[good[0]])
            good = good[length[good] == len(places)]
            there = self.features[self.first[good][:, None] + np.arange(len(places))]
            # equal sums are no proof
            yield good[(there == self.features[places]).all(axis=1)], places


class _Sheet:
    """Columns of a block while they are filled, shape by shape."""

    def __init__(self, texts: _Texts, names: Sequence[str]) -> None:
        tags = texts.markup.tags.tags
        sources = pa.array([tag.source for tag in tags], pa.string())
        self._texts = texts
        self._pool = [texts.values, sources, pa.nulls(1, pa.string())]
        self._values = pa.concat_arrays(self._pool)
        self._first_source = len(texts.values)
        self._literals: dict[str, int] = {}
        null = len(self._values) - 1
        self._index = {name: np.full(len(texts.first), null, np.int64) for name in names}
        self._made: dict[str, list[Any]] = {name: [] for name in names}
        self.is_read = np.zeros(len(texts.first), bool)

    def fill(self, shape: Shape, rows: Any, first: Any) -> None:
        """Fill in prospects of a shape, given where their tags begin."""
        self.is_read[rows] = True
        for name, pieces in shape.columns.items():
            if name in self._index:
                self._fill(name, pieces, rows, first)
        if shape.extra != ("",):
            self._fill("", shape.extra, rows, first)

    def _fill(self, name: str, pieces: Pieces, rows: Any, first: Any) -> None:
        piece = pieces[0]
        if len(pieces) == 1 and isinstance(piece, str):
            self._index[name][rows] = -2 - self._literals.setdefault(piece, len(self._literals))
        elif len(pieces) == 1 and isinstance(piece, Fill) and name not in COLLAPSED:
            self._index[name][rows] = self._find(piece, first)
        else:
            self._make(name, pieces, rows, first)

    def _find(self, fill: Fill, first: Any) -> Any:
        """Where the values are that fill a place."""
        if fill.is_source:
            return self._first_source + self._texts.codes[first + fill.place]
        return self._texts.place[first + fill.place]

    def _make(self, name: str, pieces: Pieces, rows: Any, first: Any) -> None:
        """Values of several pieces."""
        parts = [
            pa.scalar(piece) if isinstance(piece, str)
            else self._values.take(int64_array(self._find(piece, first)))
            for piece in pieces
        ]  # fmt: skip
        if not name:
            parts = [part if isinstance(part, pa.Scalar) else _in_json(part) for part in parts]
        made = pc.binary_join_element_wise(*parts, "") if len(parts) > 1 else parts[0]
        if name in COLLAPSED:
            made = _replace(made, _UNEVEN, collapse_blanks)
        done = sum(len(array) for array in self._made[name])
        self._index[name][rows] = len(self._values) + done + np.arange(len(rows))
        self._made[name].append(made)

    def column(self, name: str) -> Any:
        """A column as an array, NULL where no shape had it."""
        index = self._index[name]
        if not self._made[name] and (index >= 0).all():
            return self._values.take(int64_array(index))
        literals = pa.array(list(self._literals), pa.string())
        values = pa.concat_arrays([self._values, *self._made[name], literals])
        first = len(values) - len(literals)
        return values.take(int64_array(np.where(index < 0, first - 2 - index, index)))


def _find_forbidden(markup: Markup) -> Any:
    """Positions of what must not be in XML, or stands for undecodable bytes."""
    buffer = markup.buffer
    found = np.empty(0, np.int64)
    # comparing whole blocks is many times as fast as looking each byte up
    blanks = sum(int(np.count_nonzero(buffer == byte)) for byte in b"\t\n\r")
    if np.count_nonzero(buffer < 32) > blanks:
        found = np.flatnonzero(_FORBIDDEN[buffer])
    for lead, second, third in _NO_CHARACTERS:
        at = np.flatnonzero(buffer == lead)
        found = np.append(found, at[(buffer[at + 1] == second) & (buffer[at + 2] >= third)])
    return found


def _is_ideographic_space(buffer: Any, at: Any) -> Any:
    return (buffer[at] == 0xE3) & (buffer[at + 1] == 0x80) & (buffer[at + 2] == 0x80)


def _ends_blank(buffer: Any, stop: Any) -> Any:
    """Which texts may end with a blank, by their last bytes; a tag stands before each."""
    lead = buffer[stop - 3]
    return (
        (buffer[stop - 1] <= 0x20) | (lead == 0xE1) | (lead == 0xE2)
        | (buffer[stop - 2] == 0xC2) | _is_ideographic_space(buffer, stop - 3)
    )  # fmt: skip


def _resolve(raw: bytes) -> str | None:
    """The trimmed text that a parser makes of the text of an element; None where it refuses."""
    section = _CDATA.fullmatch(raw)
    if section:
        return section[1].decode().strip()
    try:
        # there is no declaration in it, so no entity can be defined
        element = XML(f"<a>{raw.decode()}</a>")
    except (ParseError, ValueError):
        return None
    return (element.text or "").strip()


def _in_json(texts: Any) -> Any:
    """Texts as they stand between the quotes of JSON."""
    return _replace(texts, _IN_JSON, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])


def _replace(texts: Any, pattern: str, change: Any) -> Any:
    """The texts, those that match changed one by one."""
    which = np.flatnonzero(truth(pc.match_substring_regex(texts, pattern)))
    if not len(which):
        return texts
    changed = [change(text) for text in texts.take(int64_array(which)).to_pylist()]
    index = np.arange(len(texts))
    index[which] = len(texts) + np.arange(len(which))
    return pa.concat_arrays([texts, pa.array(changed, pa.string())]).take(int64_array(index))
