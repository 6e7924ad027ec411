"""The shape of a prospect: which of its texts make up which column, whatever the texts say.

A shape is learnt by reading a prospect that has placeholders for texts as any other prospect is
read, so that prospects of one shape can be read together and come out as they would one by one.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zhongtai.readers.markup import CLOSE, FILL, OPEN, Tag
from zhongtai.readers.prospect import escape_comments, parse_prospect, read_prospect

# Stands for the blanks between elements: it is trimmed and joined as they are, and seen if kept.
_GAP = "\u2003"
_IDEOGRAPH = "一"
_PLACEHOLDER = re.compile(f"{FILL[0]}(@?)(\\d+){_IDEOGRAPH}?{FILL[1]}")


@dataclass(frozen=True)
class Fill:
    """The text after a tag of the prospect, or (`is_source`) the tag's attribute `source`."""

    place: int
    is_source: bool


Pieces = tuple[str | Fill, ...]


@dataclass(frozen=True)
class Shape:
    """By column what its value is made of, literal texts and fills; `extra` is JSON text."""

    columns: dict[str, Pieces]
    extra: Pieces


def learn_shape(
    tags: Sequence[Tag], filled: Sequence[bool], in_ideographs: Sequence[bool], names: Sequence[str]
) -> Shape | None:
    """The shape of prospects with these tags, by whether a text follows each of them.

    None where such a prospect has to be read by itself.
    """
    text = "".join(
        tag.text.replace(f"{FILL[0]}@", f"{FILL[0]}@{place}")
        + _between(tags, place, filled[place], in_ideographs[place])
        for place, tag in enumerate(tags)
    )
    element = parse_prospect(text) if escape_comments(text) == text else None
    if element is None:
        return None
    row = read_prospect(element)
    others = {name: row.pop(name) for name in list(row) if name not in names}
    extra = json.dumps(others, ensure_ascii=False) if others else ""
    if any(_GAP in value for value in (*row.values(), extra)):
        return None
    return Shape({name: _pieces(value) for name, value in row.items()}, _pieces(extra))


def is_text(tags: Sequence[Tag], place: int) -> bool:
    """Whether the text after a tag is that of an element without children."""
    return place + 1 < len(tags) and (tags[place].form, tags[place + 1].form) == (OPEN, CLOSE)


def _between(tags: Sequence[Tag], place: int, is_filled: bool, is_ideographic: bool) -> str:
    if not is_text(tags, place):
        return _GAP if place + 1 < len(tags) else ""
    mark = _IDEOGRAPH if is_ideographic else ""
    return f"{FILL[0]}{place}{mark}{FILL[1]}" if is_filled else ""


def _pieces(text: str) -> Pieces:
    pieces: list[str | Fill] = []
    done = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces += [text[done : match.start()], Fill(int(match[2]), bool(match[1]))]
        done = match.end()
    return tuple(piece for piece in (*pieces, text[done:]) if piece != "") or ("",)
