"""Why two records are one person, or why they are not; read from the published map by keys.

Values are masked as they are kept. A record or a person may be named, a retired id as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zhongtai.identity.decisions import Decision
from zhongtai.identity.declaration import Declaration
from zhongtai.identity.objections import Objections, Refusal
from zhongtai.identity.paths import Tie, shortest_path
from zhongtai.identity.published_map import PublishedMap, Trace
from zhongtai.identity.references import Reference
from zhongtai.identity.review_queue import Compared
from zhongtai.identity.subjects import Subject, find_subject

Rule = Literal["identifier", "identifier and name", "similar person", "decision"]
# What several records share: the kind of tie, and which one.
Why = tuple[Rule, int | str]
_BY_LIKENESS = 500
_WITH_NAME = 100


@dataclass(frozen=True)
class Naming:
    """One record naming a value: from when to when (naive UTC), and how many lines said so."""

    record: Reference
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    record_count: int | None
    is_verified: bool


@dataclass(frozen=True)
class Step:
    """Two records that are one person, and because of what.

    `weight`: of an identifier its priority (1 is strongest), of a likeness its match weight.
    """

    record: Reference
    other_record: Reference
    rule: Rule
    identifier_type: str | None = None
    identifier_scope: str | None = None
    value: str | None = None
    weight: float | None = None
    named_by: tuple[Naming, ...] = ()
    comparisons: tuple[Compared, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True)
class PairExplanation:
    """Whether two subjects are one person; `path` says why, `refused` why not.

    Without either nothing that was kept speaks for one person. `over`: the ties of the path among
    those of `components`.
    """

    left: Subject
    right: Subject
    is_one_person: bool
    path: tuple[Step, ...] = ()
    refused: tuple[Refusal, ...] = ()
    decisions: tuple[Decision, ...] = ()
    components: "tuple[Component, ...]" = ()
    over: frozenset[Why] = frozenset()


@dataclass(frozen=True)
class Component:
    """A person's records and everything that ties them together."""

    traces: tuple[Trace, ...]
    ties: Mapping[Why, Tie[Reference]]
    matched: Mapping[str, tuple[float, tuple[Compared, ...]]]
    decided: Mapping[int, Decision]

    @property
    def records(self) -> list[Reference]:
        """In the order of their names."""
        return sorted({trace.reference for trace in self.traces})


def explain_pair(
    published: PublishedMap, declaration: Declaration, left: str, right: str
) -> PairExplanation:
    """Why two records or persons are one person, or why they are two.

    Raises ConfigurationError where one of them is unknown.
    """
    one, other = find_subject(published, left), find_subject(published, right)
    traces = published.read_traces(one.one_id, other.one_id)
    components = tuple(
        tie_together(published, declaration, one_id, traces[one_id])
        for one_id in dict.fromkeys([one.one_id, other.one_id])
    )
    if one.one_id != other.one_id:
        found = Objections(published, one, other, traces)
        return PairExplanation(
            one,
            other,
            is_one_person=False,
            refused=found.find(),
            decisions=found.decisions(),
            components=components,
        )
    starts, ends = one.records, other.records
    if starts != ends:
        # an id that still lives means the records that the retired one did not bring
        starts, ends = starts - ends or starts, ends - starts or ends
    way = shortest_path(sorted(starts), ends, components[0].ties) or []
    return PairExplanation(
        one,
        other,
        is_one_person=True,
        path=tuple(_tell_step(components[0], declaration, *step) for step in way),
        components=components,
        over=frozenset(why for _, why, _ in way),
    )


def tie_together(
    published: PublishedMap, declaration: Declaration, one_id: str, traces: Sequence[Trace]
) -> Component:
    """Everything that makes these records of a person one: values, likeness, decisions."""
    holders: dict[Why, tuple[int, set[Reference]]] = {}
    for trace in traces:
        for why, cost in _ways(trace, declaration):
            holders.setdefault(why, (cost, set()))[1].add(trace.reference)
    rows = published.select(
        "matched_pairs",
        "source, entity, record_key, other_source, other_entity, other_record_key, pair_id,"
        " probability, comparisons",
        "one_id = ?",
        one_id,
    )
    matched = {}
    for row in rows:
        holders["similar person", row[6]] = (
            _BY_LIKENESS,
            {Reference(*row[:3]), Reference(*row[3:6])},
        )
        matched[row[6]] = (row[7], tuple(Compared(**compared) for compared in row[8]))
    decided = {d.decision_id: d for d in published.applied("merge")}
    records = {trace.reference for trace in traces}
    for number, decision in decided.items():
        if set(decision.pair) <= records:
            holders["decision", number] = (0, set(decision.pair))
    ties = {
        why: Tie(cost, tuple(sorted(nodes)))
        for why, (cost, nodes) in holders.items()
        if len(nodes) > 1
    }
    return Component(tuple(traces), ties, matched, decided)


def _ways(trace: Trace, declaration: Declaration) -> list[tuple[Why, int]]:
    """What the record shares with whoever names the same, and how strong that is."""
    known = declaration.types.get(trace.identifier_type or "")
    cost = known.priority if known else _WITH_NAME - 1
    ways: list[tuple[Why, int]] = []
    if trace.standing == "link" and trace.value_key is not None:
        ways.append((("identifier", trace.value_key), cost))
    if trace.named_key is not None:
        ways.append((("identifier and name", trace.named_key), cost + _WITH_NAME))
    return ways


def _tell_step(
    component: Component,
    declaration: Declaration,
    record: Reference,
    why: Why,
    other: Reference,
) -> Step:
    rule, which = why
    if rule == "decision":
        return Step(record, other, rule, decision=component.decided[int(which)])
    if rule == "similar person":
        _, comparisons = component.matched[str(which)]
        weight = round(sum(compared.weight or 0 for compared in comparisons), 2)
        return Step(record, other, rule, weight=weight, comparisons=comparisons)
    key = "value_key" if rule == "identifier" else "named_key"
    named = [
        next(t for t in component.traces if t.reference == one and getattr(t, key) == which)
        for one in (record, other)
    ]
    told = named[0]
    known = declaration.types.get(told.identifier_type or "")
    return Step(
        record,
        other,
        rule,
        told.identifier_type,
        told.identifier_scope,
        told.masked,
        known.priority if known else None,
        tuple(tell_naming(trace) for trace in named),
    )


def tell_naming(trace: Trace) -> Naming:
    """Who names the value of the trace, and when."""
    return Naming(
        trace.reference,
        trace.first_seen_at,
        trace.last_seen_at,
        trace.record_count,
        bool(trace.is_verified),
    )
