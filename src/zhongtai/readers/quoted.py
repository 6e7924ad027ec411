"""Records of text in which every field is quoted and ends in the line it began in.

Many systems write all of their files so. The structure is then told by the delimiters between two
quotes alone, which takes half of the time that the grammar takes to follow.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zhongtai.readers.structure import Grammar, Records

_LF, _CR = 10, 13


@dataclass(frozen=True)
class _Lines:
    """Where lines begin, and where their line ends begin."""

    start: Any
    end: Any


def split_quoted(data: bytes, grammar: Grammar) -> Records | None:
    """The records of whole lines as `split_records` finds them; None where it is not plain.

    Fields keep the escape characters, see `Records.escape`.
    """
    buffer = np.frombuffer(data, np.uint8)
    lines = _find_lines(buffer)
    if lines is None or not _are_quoted(buffer, lines, grammar.quote):
        return None
    quote, delimiter = grammar.quote, grammar.delimiter
    quotes = buffer == quote
    between = quotes[:-2] & (buffer[1:-1] == delimiter)
    between &= quotes[2:]
    separators = np.flatnonzero(between) + 1
    unescaped = np.count_nonzero(quotes)
    escape = grammar.escape
    if escape is not None:
        escapes = np.flatnonzero(buffer[:-1] == escape)
        follows = buffer[escapes + 1]
        if np.count_nonzero(follows == escape) or _are_escaped(buffer, separators, lines, escape):
            return None
        unescaped -= np.count_nonzero(follows == quote)
    # two quotes for each field, each of its own, are all that there are
    if unescaped != 2 * (len(separators) + len(lines.start)):
        return None
    if not _are_apart(buffer, separators):
        return None
    return _cut(data, separators, lines, escape)


def _find_lines(buffer: Any) -> _Lines | None:
    ends = np.flatnonzero(buffer == _LF)
    if not len(ends) or ends[-1] != len(buffer) - 1:
        return None
    start = np.append(0, ends[:-1] + 1)
    returns = np.count_nonzero(buffer == _CR)
    if returns:
        ends = ends - 1
        if returns != len(ends) or (buffer[ends] != _CR).any():
            return None
    return None if (ends - start < 2).any() else _Lines(start, ends)


def _are_quoted(buffer: Any, lines: _Lines, quote: int) -> bool:
    """Whether each line begins and ends with a quote."""
    return bool((buffer[lines.start] == quote).all() and (buffer[lines.end - 1] == quote).all())


def _are_escaped(buffer: Any, separators: Any, lines: _Lines, escape: int) -> bool:
    """Whether a quote that would close a field is escaped."""
    before = buffer[separators - 2], buffer[lines.end - 2]
    return any(np.count_nonzero(byte == escape) for byte in before)


def _are_apart(buffer: Any, separators: Any) -> bool:
    """Whether no quote stands on two sides: of two separators, or of one and a line end."""
    if len(separators) and separators[0] < 2:
        return False
    before, after = buffer[separators - 2], buffer[separators + 2]
    is_shared = (before == _LF) | (after == _LF) | (after == _CR)
    is_shared[1:] |= separators[1:] <= separators[:-1] + 2
    return not np.count_nonzero(is_shared)


def _cut(data: bytes, separators: Any, lines: _Lines, escape: int | None) -> Records:
    count = len(lines.start)
    before = np.searchsorted(separators, lines.end)
    width = np.diff(before, prepend=0) + 1
    last = before + np.arange(count)
    first = last - width + 1
    start = np.empty(len(separators) + count, np.int32)
    end = np.empty_like(start)
    is_inner = np.ones(len(start), bool)
    is_inner[first] = False
    start[is_inner] = separators + 2
    start[first] = lines.start + 1
    is_inner[:] = True
    is_inner[last] = False
    end[is_inner] = separators - 1
    end[last] = lines.end - 1
    return Records(
        data, data, start, end, first, width, lines.start, lines.end, np.arange(count),
        np.zeros(count, bool), len(data), count, escape,
    )  # fmt: skip
