"""Where records and fields of delimited text begin and end, found over whole blocks at once.

The grammar: a field that begins with the quote is quoted, and runs to a quote that the delimiter,
a line end or the end of the file follows; within it a quote is written twice, or after the escape
character where the dialect has one. Elsewhere a quote is an ordinary character. LF, CRLF and a
lone CR end a line. A quoted field that is not closed in this way, or only after MAX_RECORD_BYTES,
or that would swallow a line which is a whole record itself, makes its first line a broken record;
the next record begins on the next line.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_RECORD_BYTES = 1 << 20
# Below this many columns a line inside a quoted cell looks like a record by chance.
SWALLOW_COLUMNS = 4
_LF, _CR = 10, 13
_LITERAL, _OPEN, _CLOSE, _DROP, _KEEP = range(5)


@dataclass(frozen=True)
class Grammar:
    """The bytes that structure a text; `columns` is the width of its header."""

    delimiter: int
    quote: int
    escape: int | None
    columns: int


@dataclass
class Records:
    """The records of a block. Fields are ranges of `content`, records ranges of `data`.

    `first` is the index of a record's first field, `width` its number of fields. `consumed` is
    where the unfinished rest of the block begins, `line_ends` counts the line ends before it.
    Where there is an `escape`, it still stands in the fields before quotes and delimiters.
    """

    data: bytes
    content: Any
    field_start: Any
    field_end: Any
    first: Any
    width: Any
    start: Any
    end: Any
    line: Any
    is_broken: Any
    consumed: int
    line_ends: int
    escape: int | None = None


@dataclass
class _Marks:
    """Positions of structural bytes: `separators` (delimiters and line ends), `quotes`.

    `quotes_before` counts for each separator. `outside` are the separators outside quotes, `role`
    is what each quote does (None: they open and close in turn).
    """

    separators: Any
    is_end: Any
    quotes: Any
    dropped: Any
    quotes_before: Any
    role: Any = None
    outside: Any = None
    outside_end: Any = None
    broken: list[int] = field(default_factory=list)


def split_records(data: bytes, grammar: Grammar, *, is_last: bool) -> Records:
    """Find all records of `data`, which begins with a record.

    Unless `is_last`, a record that has not ended stays unconsumed.
    """
    padded = np.frombuffer(data + b"\0", np.uint8)
    marks = _find_marks(padded, grammar, b"\r" in data)
    consumed = len(data)
    separators, is_end = marks.separators, marks.is_end
    if len(marks.quotes):
        quotes = _Quotes(padded, data, grammar, marks, is_last)
        outside = marks.quotes_before % 2 == 0
        if not quotes.are_plain or not outside[is_end].all():
            consumed = quotes.resolve()
            depth = np.cumsum((marks.role == _OPEN).astype(np.int8) - (marks.role == _CLOSE))
            outside = np.concatenate(([0], depth))[marks.quotes_before] == 0
            outside &= separators < consumed
        separators, is_end = separators[outside], is_end[outside]
    is_ended = len(separators) and is_end[-1] and separators[-1] == len(data) - 1
    if not is_last:
        whole = int(np.flatnonzero(is_end)[-1]) + 1 if is_end.any() else 0
        separators, is_end = separators[:whole], is_end[:whole]
        consumed = int(separators[-1]) + 1 if whole else 0
    elif data and not is_ended:
        separators = np.append(separators, np.int32(len(data)))
        is_end = np.append(is_end, True)
    marks.outside, marks.outside_end = separators, is_end
    return _cut(data, padded, grammar.quote, marks, consumed)


def _find_marks(padded: Any, grammar: Grammar, has_returns: bool) -> _Marks:
    """One pass over the bytes; escaped bytes and the CR of a CRLF are no marks."""
    buffer = padded[:-1]
    wanted = (buffer == grammar.delimiter) | (buffer == _LF) | (buffer == grammar.quote)
    if has_returns:
        wanted |= (buffer == _CR) & (padded[1:] != _LF)
    marks = np.flatnonzero(wanted).astype(np.int32)
    dropped = np.empty(0, np.int32)
    if grammar.escape is not None:
        escaped, dropped = _find_escapes(padded, grammar)
        marks = np.delete(marks, np.searchsorted(marks, escaped))
    kind = buffer[marks]
    is_quote = kind == grammar.quote
    place = np.flatnonzero(is_quote)
    if not len(place):
        return _Marks(marks, kind != grammar.delimiter, place, dropped, place)
    other = np.flatnonzero(~is_quote)
    return _Marks(
        separators=marks[other],
        is_end=kind[other] != grammar.delimiter,
        quotes=marks[place],
        dropped=dropped,
        quotes_before=other - np.arange(len(other)),
    )


def _find_escapes(padded: Any, grammar: Grammar) -> tuple[Any, Any]:
    """Positions of escaped delimiters and quotes, and of the escape characters to drop.

    Two escape characters stand for one; before any other character one stands for itself.
    """
    escapes = np.flatnonzero(padded == grammar.escape).astype(np.int32)
    if not len(escapes):
        return escapes, escapes
    heads = np.flatnonzero(np.diff(escapes, prepend=-2) != 1)
    start = escapes[heads]
    length = np.diff(np.append(heads, len(escapes))).astype(np.int32)
    following = padded[start + length]
    special = (following == grammar.quote) | (following == grammar.delimiter)
    escaping = (length % 2 == 1) & special
    drops = length // 2 + escaping
    within = np.arange(drops.sum()) - np.repeat(np.cumsum(drops) - drops, drops)
    dropped = (np.repeat(start, drops) + within).astype(np.int32)
    return (start + length)[escaping], dropped


class _Quotes:
    """Gives every quote its role: vectorised where quotes alternate, by hand where they do not."""

    def __init__(
        self, padded: Any, data: bytes, grammar: Grammar, marks: _Marks, is_last: bool
    ) -> None:
        self.data, self.grammar, self.marks, self.is_last = data, grammar, marks, is_last
        # 64 bits like the Python integers they are searched for, else each search converts them
        self.quotes = marks.quotes.astype(np.int64)
        # NUL stands for both ends of the data, in which there is none
        is_edge = np.zeros(256, bool)
        is_edge[[0, grammar.delimiter, _LF, _CR]] = True
        self.can_open = is_edge[padded[self.quotes - 1]]
        self.can_close = is_edge[padded[self.quotes + 1]]
        if grammar.escape is not None:
            self._except_escaped(padded, grammar.escape)
        self.are_plain = bool(
            len(self.quotes) % 2 == 0 and self.can_open[0::2].all() and self.can_close[1::2].all()
        )
        self.role = np.zeros(len(self.quotes), np.int8)

    def _except_escaped(self, padded: Any, escape: int) -> None:
        """A quote after an escaped delimiter does not stand at the beginning of a field."""
        is_after = (padded[self.quotes - 2] == escape) & (self.quotes >= 2)
        suspects = np.flatnonzero(self.can_open & is_after)
        before = self.quotes[suspects] - 1
        at = np.searchsorted(self.marks.separators, before)
        found = np.append(self.marks.separators, -1)[at]
        self.can_open[suspects] = found == before

    def _prepare(self) -> None:
        """What only quotes that are not plain need."""
        quotes = self.quotes
        adjacent = np.diff(quotes, append=-2) == 1
        is_doubling = self.grammar.escape is None
        self.doubled = adjacent if is_doubling else np.zeros(len(quotes), bool)
        self.second = np.concatenate(([False], self.doubled[:-1]))
        self.ends = self.marks.separators[self.marks.is_end].astype(np.int64)
        self.misplaced = self._find_misplaced()

    def _find_misplaced(self) -> tuple[Any, Any]:
        """Quotes that contradict strict alternation, for both parities of the first quote."""
        bad_open = ~(self.can_open | self.second)
        bad_close = ~(self.can_close | self.doubled)
        is_odd = np.arange(len(self.quotes)) % 2 == 1
        return (
            np.flatnonzero(np.where(is_odd, bad_close, bad_open)),
            np.flatnonzero(np.where(is_odd, bad_open, bad_close)),
        )

    def resolve(self) -> int:
        """Fill the roles; returns where the unfinished rest of the data begins."""
        self._prepare()
        position, token = 0, 0
        while token < len(self.quotes):
            stop = self._first_trouble(position, token)
            self._alternate(token, int(np.searchsorted(self.quotes, stop)))
            if stop == len(self.data):
                break
            position = self._read_record(stop)
            if position < 0:
                self.marks.role = self.role
                return stop
            token = int(np.searchsorted(self.quotes, position))
        self.marks.role = self.role
        return len(self.data)

    def _alternate(self, token: int, stop: int) -> None:
        """Roles of quotes that alternate strictly between open and close."""
        is_close = np.arange(stop - token) % 2 == 1
        second = self.second[token:stop].copy()
        second[:1] = False
        self.role[token:stop] = np.where(
            is_close,
            np.where(self.doubled[token:stop], _DROP, _CLOSE),
            np.where(second, _KEEP, _OPEN),
        )

    def _first_trouble(self, position: int, token: int) -> int:
        """Start of the first record that needs reading by hand, or the end of the data."""
        misplaced = self.misplaced[token % 2]
        index = int(np.searchsorted(misplaced, token))
        last = len(self.quotes)
        if index < len(misplaced):
            last = int(misplaced[index])
        elif (last - token) % 2 == 0:
            return self._first_swallowing(position, token, len(self.data))
        else:
            last -= 1
        return self._first_swallowing(position, token, self._record_start(position, token, last))

    def _record_start(self, position: int, token: int, bad: int) -> int:
        """Start of the record that holds quote `bad`: after the last line end outside quotes."""
        index = int(np.searchsorted(self.ends, self.quotes[bad])) - 1
        while index >= 0 and self.ends[index] >= position:
            inside = int(np.searchsorted(self.quotes, self.ends[index])) - token
            if inside % 2 == 0:
                return int(self.ends[index]) + 1
            index -= 1
        return position

    def _first_swallowing(self, position: int, token: int, stop: int) -> int:
        """Start of the first record of several lines in [position, stop) that is suspicious."""
        low, high = np.searchsorted(self.ends, (position, stop))
        ends = self.ends[low:high]
        inside = (np.searchsorted(self.quotes, ends) - token) % 2 == 1
        if not inside.any():
            return stop
        # the line end outside quotes after each inner one ends the same record
        outer = np.flatnonzero(~inside)
        record = np.searchsorted(outer, np.flatnonzero(inside))
        for number in np.unique(record):
            begin = position if number == 0 else int(ends[outer[number - 1]]) + 1
            end = int(ends[outer[number]]) if number < len(outer) else stop
            if self._is_suspicious(begin, end):
                return begin
        return stop

    def _is_suspicious(self, start: int, end: int) -> bool:
        """Whether a record of several lines is too long or holds a line that is a record."""
        if end - start > MAX_RECORD_BYTES:
            return True
        if self.grammar.columns < SWALLOW_COLUMNS:
            return False
        delimiters = self.grammar.columns - 1
        inner = self.data[start:end].splitlines()[1:-1]
        return any(line.count(self.grammar.delimiter) == delimiters for line in inner)

    def _read_record(self, start: int) -> int:
        """Read one record by the grammar; returns where the next begins, -1 if it is unfinished."""
        token = int(np.searchsorted(self.quotes, start))
        first_end = self._end_after(start)
        position = start
        roles: dict[int, int] = {}
        while token < len(self.quotes) and self.quotes[token] < self._end_after(position):
            if not self.can_open[token]:
                token += 1
                continue
            close = self._find_close(token, max(first_end, start + MAX_RECORD_BYTES), roles)
            is_open = close == len(self.quotes) and not self.is_last
            if is_open and len(self.data) - start <= MAX_RECORD_BYTES:
                return -1
            if close < 0 or close == len(self.quotes):
                return self._break_line(start, first_end)
            roles[token], roles[close] = _OPEN, _CLOSE
            position, token = int(self.quotes[close]) + 1, close + 1
        end = self._end_after(position)
        if end > first_end and self._is_suspicious(start, end):
            return self._break_line(start, first_end)
        for index, role in roles.items():
            self.role[index] = role
        return end + 1

    def _find_close(self, token: int, limit: int, roles: dict[int, int]) -> int:
        """The quote that closes the one at `token`: -1 if misplaced or beyond `limit`.

        The number of quotes if there is none; `roles` gets those of the doubled quotes passed.
        """
        close = token + 1
        while close < len(self.quotes):
            if self.quotes[close] > limit:
                return -1
            if self.doubled[close]:
                roles[close], roles[close + 1] = _DROP, _KEEP
                close += 2
            elif self.can_close[close]:
                return close
            else:
                return -1
        return len(self.quotes)

    def _break_line(self, start: int, end: int) -> int:
        self.marks.broken.append(start)
        low, high = np.searchsorted(self.quotes, (start, end))
        self.role[low:high] = _LITERAL
        return end + 1

    def _end_after(self, position: int) -> int:
        index = int(np.searchsorted(self.ends, position))
        return int(self.ends[index]) if index < len(self.ends) else len(self.data)


def _count_dropped(marks: _Marks, separators: Any) -> Any:
    """How many bytes before each separator are dropped; None if there are none at all."""
    if marks.role is not None and not len(marks.dropped):
        # doubled quotes and an escape character exclude each other
        marks.dropped = marks.quotes[marks.role == _DROP]
    if not len(marks.dropped):
        return None
    return np.searchsorted(marks.dropped, separators).astype(np.int32)


def _cut(data: bytes, padded: Any, quote: int, marks: _Marks, consumed: int) -> Records:
    """Turn separators into fields and records; strip quotes and drop doubled ones."""
    separators, is_end = marks.outside, marks.outside_end
    end_index = np.flatnonzero(is_end)
    first = np.append(np.int64(0), end_index[:-1] + 1) if len(end_index) else end_index
    start = np.append(np.int32(0), separators[:-1] + 1).astype(np.int32)[: len(separators)]
    end = separators.copy()
    shift = _count_dropped(marks, end)
    ends = end[end_index]
    returns = (ends > 0) & (padded[ends] == _LF)
    end[end_index] -= returns & (padded[np.maximum(ends, 1) - 1] == _CR) & (start[end_index] < ends)
    record_start, record_end = start[first], end[end_index]
    line_positions = marks.separators[marks.is_end]
    broken = np.isin(record_start, marks.broken) if marks.broken else np.zeros(len(first), bool)
    if len(marks.quotes):
        quoted = (end - start >= 2) & (padded[start] == quote)
        start, end = start + quoted, end - quoted
    content: Any = data
    if shift is not None:
        kept = np.ones(len(data), bool)
        kept[marks.dropped] = False
        content = padded[:-1][kept]
        # nothing is dropped between the end of a field and the start of the next
        start[1:] -= shift[:-1]
        end -= shift
    return Records(
        data, content, start, end, first, np.diff(end_index, prepend=-1),
        record_start, record_end, np.searchsorted(line_positions, record_start),
        broken, consumed, int(np.searchsorted(line_positions, consumed)),
    )  # fmt: skip
