"""The scan plan: every measure of every tag, gathered so that each fact table is read once.

Filtered aggregates share one statement per fact table; what must be ordered (first, last) and what
is counted per value of a column (preferences, `per`) stand apart, because each costs a sort or a
second grouping that the plain aggregates should not pay for.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from zhongtai.tags.catalogue import Tags
from zhongtai.tags.facts import FACTS, Fact
from zhongtai.tags.model import Comparison, Filter, Measure, Preference

Shape = Literal["filtered", "ordered", "by_value"]
Wanted = Measure | Preference
# a measure that counts is 0 for a person without any fact; any other is unknown
ZERO_WITHOUT_FACTS = ("count", "active_days", "distinct", "sum")
_LONGEST_NAME = 55


@dataclass(frozen=True)
class Scan:
    """One generated model: the measures taken in one statement over one fact table."""

    fact: Fact
    shape: Shape
    by: str | None
    columns: tuple[tuple[str, Wanted], ...]

    @property
    def alias(self) -> str:
        """Short name of the scan: the fact, and what sets its statement apart."""
        if self.shape == "by_value":
            return f"{self.fact.name}_by_{self.by}"
        return self.fact.name if self.shape == "filtered" else f"{self.fact.name}_ordered"

    @property
    def model(self) -> str:
        """The dbt model that holds the result, one row per person."""
        return f"int_tags__{self.alias}"


@dataclass(frozen=True)
class Plan:
    """The scans, and where each measure is found."""

    scans: tuple[Scan, ...]

    def column(self, wanted: Wanted) -> str:
        """Column of a measure where all scans are joined: `<scan>__<measure>`."""
        for scan in self.scans:
            for name, held in scan.columns:
                if held == wanted:
                    return f"{scan.alias}__{name}"
        raise KeyError(wanted)


def plan_scans(tags: Tags) -> Plan:
    """The scans that give every published tag what it needs, in the order of the facts."""
    gathered: dict[tuple[str, Shape, str | None], dict[Wanted, None]] = {}
    for wanted in _wanted(tags):
        gathered.setdefault(_statement_of(wanted), {})[wanted] = None
    order = list(FACTS)
    scans = []
    for key in sorted(gathered, key=lambda k: (order.index(k[0]), k[1], k[2] or "")):
        fact, shape, by = key
        scans.append(Scan(FACTS[fact], shape, by, tuple(_named(gathered[key]))))
    return Plan(tuple(scans))


def _wanted(tags: Tags) -> Iterable[Wanted]:
    for tag in tags.published:
        yield from tag.measures
        if isinstance(tag.rule, Preference):
            yield tag.rule


def _statement_of(wanted: Wanted) -> tuple[str, Shape, str | None]:
    if isinstance(wanted, Preference):
        return wanted.fact, "by_value", wanted.of
    if wanted.per:
        return wanted.fact, "by_value", wanted.per
    return wanted.fact, "ordered" if wanted.take in ("first", "last") else "filtered", None


def _named(wanted: Iterable[Wanted]) -> Iterable[tuple[str, Wanted]]:
    """Each measure with a readable name; a hash tells apart what would read alike."""
    taken: set[str] = set()
    for measure in wanted:
        name = _name(measure)
        if name in taken or len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(repr(measure).encode()).hexdigest()[:6]
            name = f"{name[:_LONGEST_NAME]}_{digest}"
        taken.add(name)
        yield name, measure


def _name(wanted: Wanted) -> str:
    if isinstance(wanted, Preference):
        words = ["preferred", wanted.tie if wanted.tie != "latest" else "", wanted.by or ""]
    else:
        words = [wanted.take, wanted.of or ""]
        if wanted.per:
            words.insert(0, "largest")
    words += [_filter_name(f) for f in wanted.where]
    words.append(f"{wanted.within_days}d" if wanted.within_days else "")
    return "_".join(word for word in words if word)


def _filter_name(condition: Filter) -> str:
    comparison: Comparison = condition.comparison
    operands = (
        comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
    )
    if comparison.operator == "known":
        return f"{condition.column}_{'known' if comparison.operand else 'unknown'}"
    if isinstance(comparison.operand, bool):
        return condition.column if comparison.operand else f"not_{condition.column}"
    texts = [str(o) for o in operands]
    if comparison.operator in ("is", "in") and all(
        t.isascii() and t.replace("_", "").isalnum() for t in texts
    ):
        return "_or_".join(texts)
    # values in Chinese make no column names: the column and the operator stand for them
    return f"{condition.column}_{comparison.operator}"
