"""What a tag is: its declaration, its conditions and the measures they rest on."""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

Scalar = str | int | float | bool | date
Kind = Literal["rule", "lifecycle", "metric", "first_last", "preference", "composite", "manual"]
ValueType = Literal["boolean", "text", "integer", "number", "date"]
Status = Literal["draft", "in_review", "published", "inactive", "retired"]
Consent = Literal["none", "marketing", "personalisation"]

KINDS = ("rule", "lifecycle", "metric", "first_last", "preference", "composite", "manual")
VALUE_TYPES = ("boolean", "text", "integer", "number", "date")
STATUSES = ("draft", "in_review", "published", "inactive", "retired")
CONSENTS = ("none", "marketing", "personalisation")
TIES = ("latest", "alphabetical")

# `at_most` counts people who never did it; `at_most_if_any` asks for at least once.
OPERATORS = (
    "is", "is_not", "in", "not_in", "at_least", "at_most", "at_most_if_any", "more_than",
    "less_than", "between", "known",
)  # fmt: skip
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
class Measure:
    """One number, time or text per person, taken from one fact table.

    `within_days` looks back from as-of, half open; `per` takes the largest over a column's values.
    """

    fact: str
    take: str
    of: str | None = None
    where: tuple[Filter, ...] = ()
    within_days: int | None = None
    per: str | None = None


@dataclass(frozen=True)
class Preference:
    """The value of a column that a person's facts show most often (or with the largest sum)."""

    fact: str
    of: str
    by: str | None
    where: tuple[Filter, ...]
    within_days: int | None
    at_least: int
    tie: str


@dataclass(frozen=True)
class All:
    """Every condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Any:
    """At least one condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """The condition does not hold; what is unknown does not hold either."""

    condition: "Condition"


@dataclass(frozen=True)
class Attribute:
    """A condition on the profile."""

    name: str
    comparison: Comparison


@dataclass(frozen=True)
class Measured:
    """A condition on a measure."""

    measure: Measure
    comparison: Comparison


@dataclass(frozen=True)
class OtherTag:
    """A condition on the value of another tag."""

    tag_id: str
    comparison: Comparison


Condition = All | Any | Not | Attribute | Measured | OtherTag


@dataclass(frozen=True)
class Layer:
    """A value and when it is given."""

    value: Scalar
    when: Condition


@dataclass(frozen=True)
class Layers:
    """Ordered: the first layer that holds gives the value (rule), or the last one (lifecycle)."""

    layers: tuple[Layer, ...]
    otherwise: Scalar | None
    last_wins: bool


@dataclass(frozen=True)
class Band:
    """A name for measures up to `at_most`; None has no upper limit."""

    value: str
    at_most: float | None


@dataclass(frozen=True)
class Banded:
    """A measure, cut into bands from the lowest up; without bands the measure itself."""

    measure: Measure
    bands: tuple[Band, ...]
    otherwise: str | None


Rule = Condition | Layers | Banded | Preference


@dataclass(frozen=True)
class Tag:
    """One declared tag. `ttl_days` and `history_days` are days, None for unlimited."""

    tag_id: str
    name_zh: str
    name_en: str
    description: str
    owner: str
    group: str
    kind: Kind
    value_type: ValueType
    rule: Rule
    status: Status
    consent: Consent
    exclusive_group: str | None
    ttl_days: int | None
    history_days: int
    file: Path = field(compare=False)
    line: int = field(compare=False)

    @cached_property
    def is_published(self) -> bool:
        """Whether it is computed; the other states are kept in the catalogue only."""
        return self.status == "published"

    @property
    def is_manual(self) -> bool:
        """Whether people set it by hand."""
        return self.kind == "manual"

    @property
    def place(self) -> str:
        """`file:line` of the declaration."""
        return f"{self.file}:{self.line}"

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """The tags that the rule reads, in the order of reading, each once."""
        return tuple(dict.fromkeys(c.tag_id for c in leaves(self.rule) if isinstance(c, OtherTag)))

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that the rule rests on, each once."""
        if isinstance(self.rule, Banded):
            return (self.rule.measure,)
        found = (c.measure for c in leaves(self.rule) if isinstance(c, Measured))
        return tuple(dict.fromkeys(found))


def leaves(rule: Rule) -> list[Condition]:
    """The conditions of a rule that hold no other condition, in the order written."""
    if isinstance(rule, Layers):
        return [leaf for layer in rule.layers for leaf in leaves(layer.when)]
    if isinstance(rule, All | Any):
        return [leaf for condition in rule.conditions for leaf in leaves(condition)]
    if isinstance(rule, Not):
        return leaves(rule.condition)
    if isinstance(rule, Attribute | Measured | OtherTag):
        return [rule]
    return []
