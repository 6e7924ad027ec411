"""The condition language of previews and audiences: text to a typed condition over columns.

    finance_interest and preferred_series = 'ZT7' and not service_rhythm in ('流失风险')

Names are published tags and columns of the profile. What is unknown compares as false, so `x != 1`
is not `not x = 1`: the second one holds for persons whose x nobody knows.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Literal

from zhongtai.errors import ConfigurationError

Type = Literal["boolean", "text", "integer", "number", "date", "list"]
Scalar = bool | str | int | float | date
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "has", "known"]

_HINT = (
    "for instance: finance_interest and preferred_series = 'ZT7' and not activity_band in ('沉默');"
    " docs/audiences.md describes the language"
)
# Quotes, brackets and signs as a Chinese keyboard types them mean the same.
_TOKENS = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|“[^”]*”|‘[^’]*’)
    |(?P<number>[-+]?\d+(?:\.\d+)?(?![\w.]))
    |(?P<word>[^\W\d]\w*)
    |(?P<symbol><=|>=|!=|<>|==|[=<>(),（），＝＜＞])""",
    re.VERBOSE,
)
_SAME_SYMBOL = str.maketrans("（），＝＜＞", "(),=<>")
_SYMBOLS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_RESERVED = ("and", "or", "not", "in", "between", "is", "has", "known", "unknown", "true", "false")
_ORDERED = ("integer", "number", "date")


@dataclass(frozen=True)
class Column:
    """Something a condition may name; of what is personal it may only ask whether it is known."""

    name: str
    type: Type
    is_personal: bool = False


@dataclass(frozen=True)
class Compare:
    """One clause: `known` has the operand True (known) or False, `in` several, others one."""

    column: Column
    operator: Operator
    operands: tuple[Scalar, ...]


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition = Compare | And | Or | Not


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_condition(text: str, columns: Mapping[str, Column]) -> Condition:
    """Read a condition over these columns.

    Raises ConfigurationError with the position of the mistake and what was expected there.
    """
    return _Parser(text, columns).parse()


def clauses(condition: Condition) -> Iterator[Compare]:
    """The comparisons of a condition, in the order written."""
    if isinstance(condition, Compare):
        yield condition
    elif isinstance(condition, Not):
        yield from clauses(condition.part)
    else:
        for part in condition.parts:
            yield from clauses(part)


def names_of(condition: Condition) -> tuple[str, ...]:
    """The tags and columns that a condition reads, each once, in the order written."""
    return tuple(dict.fromkeys(clause.column.name for clause in clauses(condition)))


@dataclass
class _Parser:
    text: str
    columns: Mapping[str, Column]
    place: int = 0
    tokens: list[_Token] = field(default_factory=list)

    def parse(self) -> Condition:
        self.tokens = list(self._tokenise())
        found = self._or()
        if self._peek().kind != "end":
            raise self._error("expected 'and', 'or' or the end")
        return found

    def _tokenise(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            match = _TOKENS.match(self.text, at)
            if match is None:
                what = "a closing quote" if self.text[at] in "'\"“‘" else "a name, value or sign"
                raise self._error(f"expected {what}", _Token("other", self.text[at], at))
            kind = str(match.lastgroup)
            found = match.group()
            yield _Token(kind, found.translate(_SAME_SYMBOL) if kind == "symbol" else found, at)
            at = match.end()
        yield _Token("end", "", len(self.text))

    def _peek(self) -> _Token:
        return self.tokens[self.place]

    def _take(self) -> _Token:
        token = self._peek()
        self.place += token.kind != "end"
        return token

    def _is(self, word: str) -> bool:
        """Whether the next token is this word or sign; it is taken then."""
        token = self._peek()
        found = token.kind in ("word", "symbol") and token.text.lower() == word
        self.place += found
        return found

    def _expect(self, symbol: str) -> None:
        if not self._is(symbol):
            raise self._error(f"expected {symbol!r}")

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._is("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._is("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Condition:
        if self._is("not"):
            return Not(self._not())
        if self._is("("):
            found = self._or()
            self._expect(")")
            return found
        return self._clause()

    def _clause(self) -> Condition:
        column = self._column()
        token = self._peek()
        if token.text in _SYMBOLS:
            self._take()
            operator = _SYMBOLS[token.text]
            self._refuse_wrong(column, operator, token)
            return Compare(column, operator, (self._value(column),))
        for word, read in (
            ("is", self._known),
            ("not", self._not_in),
            ("in", self._in),
            ("between", self._between),
            ("has", self._has),
        ):
            if self._is(word):
                return read(column, token)
        if column.type != "boolean":
            raise self._error(f"{column.name} is a {column.type}: expected a comparison after it")
        return Compare(column, "=", (True,))

    def _column(self) -> Column:
        token = self._take()
        if token.kind != "word" or token.text.lower() in _RESERVED:
            raise self._error("expected a tag or a column of the profile", token)
        column = self.columns.get(token.text)
        if column is None:
            near = get_close_matches(token.text, self.columns, n=3)
            likely = f"; did you mean {' or '.join(near)}?" if near else ""
            raise self._error(f"there is no tag or column {token.text}{likely}", token)
        return column

    def _known(self, column: Column, _: _Token) -> Condition:
        is_denied = self._is("not")
        token = self._take()
        word = token.text.lower()
        if word not in ("known", "unknown"):
            raise self._error("expected 'known' or 'unknown' after 'is'", token)
        return Compare(column, "known", ((word == "known") != is_denied,))

    def _not_in(self, column: Column, token: _Token) -> Condition:
        if not self._is("in"):
            raise self._error("expected 'in' after 'not'")
        return self._list(column, "not in", token)

    def _in(self, column: Column, token: _Token) -> Condition:
        return self._list(column, "in", token)

    def _list(self, column: Column, operator: Operator, token: _Token) -> Condition:
        self._refuse_wrong(column, operator, token)
        self._expect("(")
        operands = [self._value(column)]
        while self._is(","):
            operands.append(self._value(column))
        self._expect(")")
        return Compare(column, operator, tuple(operands))

    def _between(self, column: Column, token: _Token) -> Condition:
        self._refuse_wrong(column, "between", token)
        low = self._value(column)
        self._expect("and")
        return Compare(column, "between", (low, self._value(column)))

    def _has(self, column: Column, token: _Token) -> Condition:
        self._refuse_wrong(column, "has", token)
        return Compare(column, "has", (self._value(column),))

    def _refuse_wrong(self, column: Column, operator: Operator, token: _Token) -> None:
        """Raise where an operator has no meaning for a column."""
        if column.is_personal:
            raise self._error(
                f"{column.name} is personal data: only 'is known' and 'is unknown' go with it",
                token,
            )
        if operator in ("<", "<=", ">", ">=", "between") and column.type not in _ORDERED:
            raise self._error(
                f"{operator!r} needs a number or a date, {column.name} is a {column.type}", token
            )
        if (operator == "has") != (column.type == "list"):
            wants = "is a list: ask 'has'" if column.type == "list" else f"is a {column.type}"
            raise self._error(f"{operator!r} does not go with {column.name}, which {wants}", token)

    def _value(self, column: Column) -> Scalar:
        """The next value, which has to be of the column's type."""
        token = self._take()
        wanted = "text" if column.type == "list" else column.type
        value = _read_value(token, wanted)
        if value is None:
            raise self._error(f"expected {_EXAMPLES[wanted]} for {column.name}", token)
        return value

    def _error(self, what: str, token: _Token | None = None) -> ConfigurationError:
        found = token or self._peek()
        said = f"found {found.text!r}" if found.text else "found the end"
        shown = f"  {self.text}\n  {' ' * _columns(self.text[: found.at])}^"
        return ConfigurationError(
            f"condition, position {found.at + 1}: {what}, {said}\n{shown}", hint=_HINT
        )


_EXAMPLES = {
    "boolean": "true or false",
    "text": "a text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "date": "a date like '2026-03-31'",
}


def _read_value(token: _Token, wanted: str) -> Scalar | None:
    """The value of a token as the type that is wanted; None where it is no such value."""
    value: Scalar | None = None
    match token.kind, wanted:
        case "text", "text":
            value = _unquoted(token.text)
        case "text", "date":
            with suppress(ValueError):
                value = date.fromisoformat(_unquoted(token.text))
        case "number", "integer" if "." not in token.text:
            value = int(token.text)
        case "number", "number":
            value = float(token.text)
        case "word", "boolean" if token.text.lower() in ("true", "false"):
            value = token.text.lower() == "true"
    return value


def _unquoted(text: str) -> str:
    quote = text[0]
    inner = text[1:-1]
    return inner.replace(quote * 2, quote) if quote in "'\"" else inner


def _columns(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
