"""The tags of XML text, found over whole blocks at once, and the prospects that they enclose.

Nothing is parsed here: a tag runs from `<` to the next `>`, outside of comments and CDATA
sections. What a tag says is worked out once for each spelling of it.
"""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import XML, ParseError
from xml.sax.saxutils import quoteattr

import numpy as np

from zhongtai.readers.block import text_ranges
from zhongtai.readers.bytestream import StreamError
from zhongtai.readers.records import int64_array

# The forms of a tag; ODD is what no element is written with, or what no parser would take.
ODD, OPEN, CLOSE, EMPTY = range(4)
# What a tag is to a file of prospects.
_NOTHING, _PROSPECT, _PROSPECT_END, _PROSPECT_ONLY, _ROOT, _ROOT_END, _FORBIDDEN = range(7)
_ROLES = (
    (_PROSPECT_END, re.compile(rb"</prospect\s*>", re.IGNORECASE)),
    (_PROSPECT_ONLY, re.compile(rb"<prospect\b[^>]*/>", re.IGNORECASE)),
    (_PROSPECT, re.compile(rb"<prospect\b[^>]*>", re.IGNORECASE)),
    (_ROOT_END, re.compile(rb"</adf\b[^>]*>", re.IGNORECASE)),
    (_ROOT, re.compile(rb"<adf\b[^>]*>", re.IGNORECASE)),
    (_FORBIDDEN, re.compile(rb"<!ENTITY|<!DOCTYPE[^>\[]*\[", re.IGNORECASE)),
)
_SECTION = re.compile(
    rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|(<!(?:\[CDATA\[|--))", re.DOTALL | re.IGNORECASE
)
_NAME = re.compile(r"<(/?[^\s/>]+)")
# The attributes that say something about a row.
_SAYING = ("source", "interest", "part", "type")
# Private characters: what is to be filled in stands between them.
FILL = ("\ue000", "\ue001")


@dataclass(frozen=True)
class Tag:
    """What a spelling of a tag says.

    `text` is the tag with those attributes only that matter, `{FILL[0]}@{FILL[1]}` for the value
    of `source`, which `source` holds.
    """

    form: int
    role: int
    name: str = ""
    text: str = ""
    source: str = ""

    @property
    def is_part_of_name(self) -> bool:
        """Whether the text after it is a first or last name, joined by the script it is in."""
        return self.name == "name" and " part=" in self.text


class Tags:
    """The tags that a file has shown so far, by code."""

    def __init__(self) -> None:
        self.tags: list[Tag] = []
        self.form = self.role = self.canon = np.empty(0, np.int64)
        self._codes: dict[str, int] = {}
        self._canon: dict[str, int] = {}

    def encode(self, texts: Any) -> Any:
        """The codes of an array of tags, as an ndarray."""
        encoded = texts.dictionary_encode()
        codes = [self.code(text) for text in encoded.dictionary.to_pylist()]
        indices = np.frombuffer(encoded.indices.buffers()[1], np.int32, len(encoded))
        return np.array(codes, np.int64)[indices]

    def code(self, text: str) -> int:
        """The code of a tag."""
        code = self._codes.setdefault(text, len(self.tags))
        if code == len(self.tags):
            self.tags.append(_understand(text))
        return code

    def arrange(self) -> None:
        """Bring the arrays by code up to date."""
        if len(self.form) == len(self.tags):
            return
        self.form = np.array([tag.form for tag in self.tags])
        self.role = np.array([tag.role for tag in self.tags])
        # tags that say the same count as one
        same = [self._canon.setdefault(tag.text, len(self._canon)) for tag in self.tags]
        self.canon = np.array(same)


def _understand(text: str) -> Tag:
    data = text.encode()
    role = next((role for role, pattern in _ROLES if pattern.match(data)), _NOTHING)
    name = _NAME.match(text)
    if text[:2] in ("<!", "<?") or not name or any(mark in text for mark in FILL):
        return Tag(ODD, role)
    if name[1].startswith("/"):
        return Tag(CLOSE, role, "", text)
    form = EMPTY if text.endswith("/>") else OPEN
    if "=" not in text:
        return Tag(form, role, name[1].lower(), text)
    try:
        element = XML(text if form == EMPTY else f"{text[:-1]}/>")
    except (ParseError, ValueError):
        return Tag(ODD, role)
    given = {key.lower(): value for key, value in element.attrib.items()}
    source = given.get("source", "")
    given = {key: given[key] for key in _SAYING if key in given}
    if source:
        given["source"] = f"{FILL[0]}@{FILL[1]}"
    written = "".join(f" {key}={quoteattr(value)}" for key, value in given.items())
    end = "/>" if form == EMPTY else ">"
    return Tag(form, role, name[1].lower(), f"<{name[1]}{written}{end}", source)


class Markup:
    """The tags of a block of UTF-8 text, and its prospects as ranges of tags.

    Tag `i` is `data[start[i]:end[i]]`; prospect `j` begins with tag `first[j]` and ends with tag
    `last[j]`. From `consumed` on the text belongs to the next block.
    """

    def __init__(self, data: bytes, tags: Tags) -> None:
        self.data = data
        self.tags = tags
        self.buffer = np.frombuffer(data, np.uint8)
        self.start, self.end = self._find_tags()
        self.codes = self._read_tags()
        self.role = tags.role[self.codes]
        self.open_roots = 0
        self.has_roots = False
        self.first, self.last, self.consumed = self._find_prospects()

    def _find_tags(self) -> tuple[Any, Any]:
        """Where tags begin and end; a `<` without a `>` after it waits for the next block."""
        opens = np.flatnonzero(self.buffer == ord("<"))
        closes = np.flatnonzero(self.buffer == ord(">"))
        has_sections = (self.buffer[np.minimum(opens + 1, len(self.data) - 1)] == ord("!")).any()
        starts, ends, unfinished = _find_sections(self.data if has_sections else b"")
        self.sections = starts, ends
        if len(starts):
            opens, closes = _outside(opens, starts, ends), _outside(closes, starts, ends)
        if unfinished >= 0:
            opens, closes = opens[opens < unfinished], closes[closes < unfinished]
        is_paired = len(opens) == len(closes) and (opens < closes).all()
        if is_paired and (closes[:-1] < opens[1:]).all():
            return opens, closes + 1
        at = np.searchsorted(closes, opens)
        opens, at = opens[at < len(closes)], at[at < len(closes)]
        return opens, closes[at] + 1

    def _read_tags(self) -> Any:
        """The code of each tag; those within which another begins are read one by one."""
        limit = np.append(self.start[1:], len(self.data))
        ranges = text_ranges(self.data, self.start, np.minimum(self.end, limit))
        codes = self.tags.encode(ranges.take(int64_array(2 * np.arange(len(self.start)))))
        overlaps = np.flatnonzero(self.end > limit)
        for tag in overlaps.tolist():
            codes[tag] = self.tags.code(self.data[self.start[tag] : self.end[tag]].decode())
        self._is_tidy = not len(overlaps)
        self.tags.arrange()
        return codes

    def _find_prospects(self) -> tuple[Any, Any, int]:
        tokens = np.flatnonzero(self.role)
        roles = self.role[tokens]
        own = tokens[roles <= _PROSPECT_ONLY]
        turn = self.role[own]
        is_plain = (turn[0::2] == _PROSPECT).all() and (turn[1::2] == _PROSPECT_END).all()
        if self._is_tidy and is_plain:
            whole = len(own) // 2 * 2
            first, last = own[0:whole:2], own[1:whole:2]
            unfinished = int(own[-1]) if whole < len(own) else -1
        else:
            first, last, unfinished = self._pair(tokens.tolist())
        self.is_within = unfinished >= 0
        consumed = int(self.end[tokens[-1]]) if len(tokens) else 0
        if unfinished >= 0:
            consumed = int(self.start[unfinished])
        elif len(self.sections[1]):
            consumed = max(consumed, int(self.sections[1][-1]))
        self._look_around(roles, self.start[tokens] < consumed)
        return first, last, consumed

    def _pair(self, tokens: list[int]) -> tuple[Any, Any, int]:
        """Tag by tag; none begins within a tag. Where another begins, one that has no end ends.

        So a lost end costs its own prospect only, which is broken.
        """
        first, last, open_, done = [], [], -1, 0
        for token in tokens:
            if self.start[token] < done:
                continue
            role, done = self.role[token], self.end[token]
            if role in (_PROSPECT, _PROSPECT_ONLY) and open_ >= 0:
                first.append(open_)
                last.append(token - 1)
                open_ = -1
            if role == _PROSPECT:
                open_ = token
            elif role == _PROSPECT_ONLY:
                first.append(token)
                last.append(token)
            elif role == _PROSPECT_END and open_ >= 0:
                first.append(open_)
                last.append(token)
                open_ = -1
        return np.array(first, np.int64), np.array(last, np.int64), open_

    def _look_around(self, roles: Any, is_done: Any) -> None:
        if (roles == _FORBIDDEN).any():
            raise StreamError("forbidden_xml", "the file declares entities of its own")
        opened, closed = (roles[is_done] == _ROOT).sum(), (roles[is_done] == _ROOT_END).sum()
        self.has_roots = bool(opened or closed)
        self.open_roots = int(opened) - int(closed)

    def text(self, prospect: int) -> str:
        """The text of one prospect."""
        start, end = self.start[self.first[prospect]], self.end[self.last[prospect]]
        return self.data[start:end].decode()


def _find_sections(data: bytes) -> tuple[Any, Any, int]:
    """Where comments and CDATA sections begin and end, and where one begins that does not end."""
    starts, ends, unfinished = [], [], -1
    for match in _SECTION.finditer(data):
        if match[1]:
            unfinished = match.start()
            break
        starts.append(match.start())
        ends.append(match.end())
    return np.array(starts, np.int64), np.array(ends, np.int64), unfinished


def _outside(positions: Any, starts: Any, ends: Any) -> Any:
    """The ascending positions that no section covers."""
    change = np.zeros(len(positions) + 1, np.int8)
    # sections do not overlap, so no place gets two of a kind
    np.add.at(change, np.searchsorted(positions, starts), 1)
    np.add.at(change, np.searchsorted(positions, ends), -1)
    return positions[np.cumsum(change[:-1]) == 0]
