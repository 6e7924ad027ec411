"""The scan plan: what all tags want to know, gathered so that each fact table is read once.

Filtered aggregates share one statement per fact table. What must be ordered (first, last), what is
counted per value of a column (preferences, lists, shares of values, distinct values, `per`) and
sequences stand apart, because each costs a sort or a second grouping that the plain aggregates
should not pay for.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from zhongtai.tags.catalogue import Tags
from zhongtai.tags.facts import FACTS, Fact
from zhongtai.tags.wants import (
    Absent,
    Comparison,
    Distribution,
    Filter,
    Measure,
    Preference,
    Query,
    Score,
    Sequence,
    Step,
    ValueList,
    Wanted,
    Window,
)

Shape = Literal["filtered", "ordered", "by_value", "sequences", "scores", "query"]
# a measure that counts is 0 for a person without any fact; any other is unknown
ZERO_WITHOUT_FACTS = ("count", "active_days", "distinct", "sum")
LOCAL_DAY = "happened_on"
STALE = "int_tags__stale"
_LONGEST_NAME = 55
# by so many statements facts are read that gathering those of stale persons once is cheaper
_OFTEN = 3
_Key = tuple[str, Shape, str | None]


@dataclass(frozen=True)
class Scan:
    """One generated model: what is measured in one statement, a row per person.

    `facts` are the tables read, one but for sequences; `by` is the column of a shape by_value.
    Of the `gathered` facts those of stale persons stand in a table of their own.
    """

    alias: str
    shape: Shape
    facts: tuple[Fact, ...]
    columns: tuple[tuple[str, Wanted], ...]
    by: str | None = None
    gathered: frozenset[str] = frozenset()

    @property
    def model(self) -> str:
        """The dbt model that holds the result, one row per person."""
        return f"int_tags__{self.alias}"

    @property
    def is_incremental(self) -> bool:
        """Whether it measures each person by that person's facts, so that the others' rows stand.

        A select may look at everyone at once, and of scores there are as many as persons.
        """
        return self.shape not in ("scores", "query")

    @property
    def concerns(self) -> tuple[str, ...]:
        """What makes a person's row stale: changed facts of a table, a window that moved."""
        return (*(fact.name for fact in self.facts), self.model)

    def source_of(self, fact: Fact) -> str:
        """Jinja for where the facts are read: all, or those of stale persons."""
        if fact.name not in self.gathered:
            return f"{{{{ ref('{fact.model}') }}}}"
        gathered = f"ref('{gathered_model(fact.name)}')"
        return f"{{{{ {gathered} if is_incremental() else ref('{fact.model}') }}}}"


@dataclass(frozen=True)
class Plan:
    """The scans, and where each measure is found."""

    scans: tuple[Scan, ...]

    def column(self, wanted: Wanted) -> str:
        """Column of a measure where all scans are joined: `<scan>__<measure>`."""
        return self._places[wanted]

    def has(self, wanted: Wanted) -> bool:
        """Whether a scan measures it: a score is not measured where there is no table of scores."""
        return wanted in self._places

    @cached_property
    def _places(self) -> Mapping[Wanted, str]:
        return {
            wanted: f"{scan.alias}__{name}" for scan in self.scans for name, wanted in scan.columns
        }


def plan_scans(tags: Tags) -> Plan:
    """The scans that give every published tag what it needs, in the order of the facts."""
    gathered: dict[_Key, dict[Wanted, None]] = {}
    for tag in tags.published:
        for wanted in tag.wanted:
            if tags.has_scores or not isinstance(wanted, Score):
                gathered.setdefault(_statement_of(wanted), {})[wanted] = None
    order = [*FACTS, "sequences", "scores", "sql"]
    keys = sorted(gathered, key=lambda k: (order.index(k[0]), k[1], k[2] or ""))
    scans = [_scan(key, gathered[key]) for key in keys]
    reading = Counter(fact.name for scan in scans for fact in scan.facts)
    often = {name for name, times in reading.items() if times >= _OFTEN}
    return Plan(
        tuple(
            replace(
                scan, gathered=frozenset(fact.name for fact in scan.facts if fact.name in often)
            )
            for scan in scans
        )
    )


def gathered_model(fact_name: str) -> str:
    """The dbt model with the facts of stale persons."""
    return f"int_tags__gathered_{fact_name}"


def default_of(wanted: Wanted) -> str | None:
    """SQL of the value of a person without any fact; None where it is unknown."""
    if isinstance(wanted, Sequence):
        return {"completed": "false", "reached": "0", "last_on": None}[wanted.give]
    return "0" if getattr(wanted, "take", None) in ZERO_WITHOUT_FACTS else None


def is_days_since(wanted: Wanted) -> bool:
    """Whether the scan keeps a day, from which the days to as-of are counted at the end."""
    return isinstance(wanted, Measure) and wanted.take.startswith("days_since")


def steps_of(sequence: Sequence) -> tuple[Step | Absent, ...]:
    """Every kind of fact that a sequence speaks of."""
    inner: list[Step | Absent] = []
    for step in sequence.steps:
        inner += [step, *step.without]
    return (*inner, *sequence.without)


def _scan(key: _Key, wanted: Iterable[Wanted]) -> Scan:
    name, shape, by = key
    columns = tuple(_named(wanted))
    if shape == "sequences":
        read = {part.fact for _, s in columns if isinstance(s, Sequence) for part in steps_of(s)}
        return Scan(name, shape, tuple(FACTS[fact] for fact in FACTS if fact in read), columns)
    if shape == "scores":
        return Scan(name, shape, (), columns)
    if shape == "query":
        return Scan(f"sql_{by}", shape, (), columns)
    suffix = {"filtered": "", "ordered": "_ordered", "by_value": f"_by_{by}"}[shape]
    return Scan(f"{name}{suffix}", shape, (FACTS[name],), columns, by)


def _statement_of(wanted: Wanted) -> _Key:
    if isinstance(wanted, Sequence):
        return "sequences", "sequences", None
    if isinstance(wanted, Score):
        return "scores", "scores", None
    if isinstance(wanted, Query):
        return "sql", "query", wanted.tag_id
    if not isinstance(wanted, Measure):
        return wanted.fact, "by_value", wanted.of
    if wanted.take in ("first", "last"):
        return wanted.fact, "ordered", None
    by = {"active_days": LOCAL_DAY, "distinct": wanted.of}.get(wanted.take, wanted.per)
    return wanted.fact, "by_value" if by else "filtered", by


def _named(wanted: Iterable[Wanted]) -> Iterable[tuple[str, Wanted]]:
    """Each measure with a readable name; a hash tells apart what would read alike."""
    taken: set[str] = set()
    for measure in wanted:
        name = _name(measure).lower()
        if name in taken or len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(repr(measure).encode()).hexdigest()[:6]
            name = f"{name[:_LONGEST_NAME]}_{digest}"
        taken.add(name)
        yield name, measure


def _name(wanted: Wanted) -> str:
    if isinstance(wanted, Query):
        return "value"
    if isinstance(wanted, Score):
        return f"{wanted.give}_{hashlib.sha256(wanted.model.encode()).hexdigest()[:6]}"
    if isinstance(wanted, Sequence):
        steps = [_selection_name(step.where) or step.fact for step in wanted.steps]
        words = [wanted.give, "_then_".join(steps), _window_name(wanted.window)]
        return "_".join(word for word in words if word)
    if isinstance(wanted, Preference):
        words = ["preferred", wanted.tie if wanted.tie != "latest" else "", wanted.by or ""]
    elif isinstance(wanted, ValueList | Distribution):
        words = ["list" if isinstance(wanted, ValueList) else "shares", wanted.by or ""]
    else:
        words = [wanted.take, wanted.of or ""]
        if wanted.per:
            words.insert(0, "largest")
    words += [_selection_name(wanted.where), _window_name(wanted.window)]
    return "_".join(word for word in words if word)


def _window_name(window: Window) -> str:
    words = [
        f"{window.from_days}d" if window.from_days else "",
        f"before_{window.to_days}d" if window.to_days else "",
        f"since_{window.since:%Y%m%d}" if window.since else "",
        f"until_{window.until:%Y%m%d}" if window.until else "",
    ]
    return "_".join(word for word in words if word)


def _selection_name(where: tuple[Filter, ...]) -> str:
    return "_".join(_filter_name(condition) for condition in where)


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
