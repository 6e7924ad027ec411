"""What a tag is: its declaration, its conditions and what they measure. docs/tags.md explains."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from zhongtai.tags.wants import (
    Comparison,
    Distribution,
    Measure,
    Preference,
    Query,
    Scalar,
    Score,
    Sequence,
    ValueList,
    Wanted,
)

Kind = Literal[
    "rule", "lifecycle", "metric", "first_last", "preference", "distribution", "rfm", "sequence",
    "composite", "list", "share", "sql", "manual", "import", "control", "predictive",
]  # fmt: skip
ValueType = Literal["boolean", "text", "integer", "number", "date", "list", "shares"]
Status = Literal["draft", "in_review", "published", "inactive", "retired"]
Consent = Literal["none", "marketing", "personalisation"]

KINDS = (
    "rule", "lifecycle", "metric", "first_last", "preference", "distribution", "rfm", "sequence",
    "composite", "list", "share", "sql", "manual", "import", "control", "predictive",
)  # fmt: skip
# a list is several texts; shares are a JSON object of texts and their shares, largest first
VALUE_TYPES = ("boolean", "text", "integer", "number", "date", "list", "shares")
STATUSES = ("draft", "in_review", "published", "inactive", "retired")
CONSENTS = ("none", "marketing", "personalisation")


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
    """A condition on a measure, or on a sequence."""

    measure: Measure | Sequence
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
class Share:
    """A part of a whole, 0 to 1; unknown where the whole is smaller than `at_least`."""

    part: Measure
    whole: Measure
    at_least: int


@dataclass(frozen=True)
class Band:
    """A name for values up to `at_most`; None has no upper limit."""

    value: str
    at_most: float | None


@dataclass(frozen=True)
class Banded:
    """A measure or share, cut into bands from the lowest up; without bands the value itself.

    `by_quantile` bands end at quantiles of the values of all persons for whom it is known.
    """

    measure: Measure | Share
    bands: tuple[Band, ...]
    otherwise: str | None
    by_quantile: bool = False


@dataclass(frozen=True)
class Converted:
    """A text that was set from outside, read as the value type; unknown where it is none."""

    measure: Measure
    value_type: str


@dataclass(frozen=True)
class Given:
    """The value is what is wanted itself."""

    wanted: Preference | ValueList | Distribution | Sequence | Score | Query


@dataclass(frozen=True)
class Rfm:
    """Recency, frequency and money, each high or low: eight classes, for who has any fact.

    `cut_by` says what `cuts` are (recency, frequency, money): limits, or quantiles over everyone
    with such facts; for `mean` there are none.
    """

    recency: Measure
    frequency: Measure
    money: Measure
    cut_by: str
    cuts: tuple[float, ...]
    otherwise: str | None


@dataclass(frozen=True)
class Arm:
    """A part of everyone, from 0 to 1, and the value that it gets."""

    value: Scalar
    share: float


@dataclass(frozen=True)
class Split:
    """Everyone at random, but for ever: by the digest of the salt and the first record."""

    salt: str
    arms: tuple[Arm, ...]


Rule = Condition | Layers | Banded | Converted | Given | Rfm | Split


@dataclass(frozen=True)
class Tag:
    """One declared tag. `ttl_days` and `history_days` are days, None for unlimited.

    `declared` is what the declaration says of the value, as canonical JSON: its version.
    """

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
    declared: str
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
    def wanted(self) -> tuple[Wanted, ...]:
        """What must be measured of a person for the rule, each once."""
        return tuple(dict.fromkeys(_wanted(self.rule)))


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


def _wanted(rule: Rule) -> list[Wanted]:
    if isinstance(rule, Given):
        return [rule.wanted]
    if isinstance(rule, Converted):
        return [rule.measure]
    if isinstance(rule, Rfm):
        return [rule.recency, rule.frequency, rule.money]
    if isinstance(rule, Banded):
        share = rule.measure
        return [share.part, share.whole] if isinstance(share, Share) else [share]
    return [leaf.measure for leaf in leaves(rule) if isinstance(leaf, Measured)]
