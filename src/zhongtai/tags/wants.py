"""What a rule asks of the facts of a person: comparisons, windows, measures, lists, sequences."""

from dataclasses import dataclass, field
from datetime import date

Scalar = str | int | float | bool | date
TIES = ("latest", "alphabetical")

# `at_most` counts people who never did it; `at_most_if_any` asks for at least once.
OPERATORS = (
    "is", "is_not", "in", "not_in", "at_least", "at_most", "at_most_if_any", "more_than",
    "less_than", "between", "known",
)  # fmt: skip
# Of a date of a person, in local days from the day of as-of.
DATE_OPERATORS = (
    "within_last_days", "within_next_days", "longer_ago_than_days", "further_ahead_than_days",
    "anniversary_within_days",
)  # fmt: skip
LIST_OPERATORS = ("contains", "contains_any", "contains_all")
TAKES = (
    "count", "active_days", "distinct", "sum", "min", "max", "average", "first", "last",
    "days_since_first", "days_since_last",
)  # fmt: skip
TAKES_OF_A_COLUMN = ("distinct", "sum", "min", "max", "average", "first", "last")


@dataclass(frozen=True)
class Comparison:
    """`<something> operator operand`; unknown values compare as false."""

    operator: str
    operand: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Filter:
    """A fact counts only where its column compares so."""

    column: str
    comparison: Comparison


@dataclass(frozen=True)
class Window:
    """When a fact must have happened: from `from_days` to `to_days` before as-of, half open.

    Such days are 24 hours each; `since` and `until` are local days, both included.
    """

    from_days: int | None = None
    to_days: int | None = None
    since: date | None = None
    until: date | None = None


ALWAYS = Window()


@dataclass(frozen=True)
class Measure:
    """One number, time or text per person, taken from one fact table.

    `per` takes the largest over the values of a column.
    """

    fact: str
    take: str
    of: str | None = None
    where: tuple[Filter, ...] = ()
    window: Window = ALWAYS
    per: str | None = None


@dataclass(frozen=True)
class Preference:
    """The value of a column that a person's facts show most often (or with the largest sum)."""

    fact: str
    of: str
    by: str | None
    where: tuple[Filter, ...]
    window: Window
    at_least: int
    tie: str


@dataclass(frozen=True)
class ValueList:
    """The values of a column that a person's facts show at least so often; the `top` strongest."""

    fact: str
    of: str
    by: str | None
    where: tuple[Filter, ...]
    window: Window
    at_least: int
    top: int | None


@dataclass(frozen=True)
class Distribution:
    """The share of each value of a column in a person's facts; the `top` largest shares.

    Unknown where the person has fewer than `at_least` facts (or so small a sum) in all.
    """

    fact: str
    of: str
    by: str | None
    where: tuple[Filter, ...]
    window: Window
    at_least: int
    top: int | None


@dataclass(frozen=True)
class Absent:
    """A fact that must not lie between two steps."""

    fact: str
    where: tuple[Filter, ...]


@dataclass(frozen=True)
class Step:
    """A fact strictly later than the step before it, with none of `without` in between.

    It comes at most `gap_days` (24 hours each) after that step.
    """

    fact: str
    where: tuple[Filter, ...]
    gap_days: int | None = None
    without: tuple[Absent, ...] = ()


@dataclass(frozen=True)
class Sequence:
    """Steps in order. `give`: completed (boolean), reached (how many steps) or last_on (a date).

    `without` must not follow the last step: within `for_days`, which must have passed, or ever.
    """

    steps: tuple[Step, ...]
    window: Window
    span_days: int | None
    without: tuple[Absent, ...]
    for_days: int | None
    give: str


@dataclass(frozen=True)
class Score:
    """What the current model of that name says of a person: its `score` or its `band`."""

    model: str
    give: str


@dataclass(frozen=True)
class Query:
    """A select that returns one_id and value; `reads` are the (relation, column) in it."""

    tag_id: str
    text: str
    reads: tuple[tuple[str, str], ...] = field(compare=False)


Wanted = Measure | Preference | ValueList | Distribution | Sequence | Score | Query
