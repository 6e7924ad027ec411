"""What one person consists of: records, identifiers, conflicts, history; who it was on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from zhongtai.errors import ConfigurationError
from zhongtai.identity.decisions import Decision, effective
from zhongtai.identity.declaration import Declaration
from zhongtai.identity.explanations import Component, Naming, tell_naming, tie_together
from zhongtai.identity.objections import Refusal, tell_meaning
from zhongtai.identity.published_map import Period, PublishedMap, Trace, refuse_unknown
from zhongtai.identity.references import Reference, is_reference, parse_reference
from zhongtai.identity.stability import naive_utc
from zhongtai.identity.subjects import Subject, find_subject
from zhongtai.masks import mask_asked


@dataclass(frozen=True)
class RecordOf:
    """A record of a person: by what it was linked and when, and since when it is this person's."""

    record: Reference
    linked_by: str
    linked_at: datetime
    since: datetime


@dataclass(frozen=True)
class Identifier:
    """A value that records of a person name. `standing`: `link`, or why it links nobody."""

    identifier_type: str
    identifier_scope: str
    value: str
    standing: str
    meaning: str | None
    named_by: tuple[Naming, ...]


@dataclass(frozen=True)
class Conflict:
    """A link to somebody else that was refused."""

    other_one_id: str
    refusal: Refusal


@dataclass(frozen=True)
class Change:
    """What happened to an id, when and why."""

    changed_at: datetime
    change: str
    one_id: str
    previous_one_id: str | None
    record_count: int
    reason: str


@dataclass(frozen=True)
class PersonExplanation:
    """All that is known of who a person is. `past`: whose the records were before."""

    subject: Subject
    records: tuple[RecordOf, ...]
    identifiers: tuple[Identifier, ...]
    conflicts: tuple[Conflict, ...]
    decisions: tuple[Decision, ...]
    history: tuple[Change, ...]
    past: tuple[Period, ...]
    component: Component


@dataclass(frozen=True)
class PastExplanation:
    """Who it was at a moment (naive UTC), and where that id leads now (None: it was erased)."""

    asked: str
    at: datetime
    one_id: str
    one_id_now: str | None
    records: tuple[Reference, ...]


def explain_person(
    published: PublishedMap, declaration: Declaration, asked: str
) -> PersonExplanation:
    """All about the person that an id or a record leads to.

    Raises ConfigurationError where it leads to nobody.
    """
    subject = find_subject(published, asked)
    traces = published.read_traces(subject.one_id)[subject.one_id]
    component = tie_together(published, declaration, subject.one_id, traces)
    records = set(component.records)
    ids = dict.fromkeys([subject.one_id, *filter(None, [subject.retired_one_id])])
    changes = {row: None for one_id in ids for row in published.read_changes(one_id)}
    return PersonExplanation(
        subject,
        tuple(_list_records(traces)),
        tuple(_list_identifiers(traces, declaration)),
        tuple(_list_conflicts(published, subject.one_id)),
        tuple(d for d in effective(published.decisions) if records & set(d.pair)),
        tuple(Change(*row) for row in sorted(changes, key=lambda row: row[0])),
        tuple(published.read_past_of_records(component.records)),
        component,
    )


def explain_past(published: PublishedMap, asked: str, at: datetime) -> PastExplanation:
    """Who a record or an id was at that instant (aware or naive UTC), by the maps published then.

    Raises ConfigurationError where it was nobody.
    """
    moment = naive_utc(at)
    one_id = asked
    if is_reference(asked):
        reference = parse_reference(asked)
        periods = [*published.read_past_of_records([reference]), *_now(published, reference)]
        found = [period for period in periods if _covers(period, moment)]
        if not found:
            raise _refuse_early(asked, moment, periods)
        one_id = found[-1].one_id
    living = published.read_traces(one_id).get(one_id, [])
    periods = [
        *published.read_past_of_person(one_id),
        *(Period(trace.reference, one_id, trace.valid_from, None) for trace in living),
    ]
    records = {period.reference for period in periods if _covers(period, moment)}
    if not records:
        raise _refuse_early(asked, moment, periods)
    return PastExplanation(
        asked,
        moment,
        one_id,
        one_id if living else published.follow(one_id),
        tuple(sorted(records)),
    )


def _now(published: PublishedMap, reference: Reference) -> Iterable[Period]:
    one_id = published.find_one_id(reference)
    for trace in published.read_traces(one_id)[one_id] if one_id else ():
        if trace.reference == reference:
            return [Period(reference, one_id or "", trace.valid_from, None)]
    return []


def _covers(period: Period, moment: datetime) -> bool:
    return period.valid_from <= moment and (period.valid_to is None or period.valid_to > moment)


def _refuse_early(asked: str, moment: datetime, periods: Sequence[Period]) -> ConfigurationError:
    if not periods:
        return refuse_unknown(asked)
    first = min(period.valid_from for period in periods)
    return ConfigurationError(
        f"{mask_asked(asked)} was nobody at {moment:%Y-%m-%d %H:%M} UTC",
        hint=f"it was first published at {first:%Y-%m-%d %H:%M} UTC",
    )


def _list_records(traces: Sequence[Trace]) -> list[RecordOf]:
    known = {
        t.reference: RecordOf(t.reference, t.linked_by, t.linked_at, t.valid_from) for t in traces
    }
    return sorted(known.values(), key=lambda one: (one.linked_at, one.record))


def _list_identifiers(traces: Sequence[Trace], declaration: Declaration) -> list[Identifier]:
    """The strongest first; a value that is told for several reasons stands with each of them."""
    named: dict[tuple[str, int, str], list[Trace]] = {}
    for trace in traces:
        if trace.identifier_type and trace.value_key is not None and trace.standing:
            key = (trace.identifier_type, trace.value_key, trace.standing)
            named.setdefault(key, []).append(trace)
    order = list(declaration.types)
    return [
        Identifier(
            identifier_type,
            found[0].identifier_scope or "",
            found[0].masked or "",
            standing,
            None if standing == "link" else tell_meaning(standing),
            tuple(tell_naming(trace) for trace in found),
        )
        for (identifier_type, _, standing), found in sorted(
            named.items(),
            key=lambda item: (
                order.index(item[0][0]) if item[0][0] in order else len(order),
                item[0][2] != "link",
                -len(item[1]),
                item[1][0].masked or "",
            ),
        )
    ]


def _list_conflicts(published: PublishedMap, one_id: str) -> list[Conflict]:
    rows = published.select(
        "refused_links",
        "other_one_id, source, entity, record_key, other_source, other_entity, other_record_key,"
        " identifier_type, reason",
        "one_id = ? order by all",
        one_id,
    )
    return [
        Conflict(
            row[0],
            Refusal(
                Reference(*row[1:4]),
                Reference(*row[4:7]),
                row[7],
                row[8],
                meaning=tell_meaning(row[8]),
            ),
        )
        for row in rows
    ]
