"""`zhongtai explain`: why records are one person or two, for people and for machines."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Home, open_home, parse_as_of
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError
from zhongtai.masks import mask_asked, mask_key

if TYPE_CHECKING:
    from zhongtai.identity.decisions import Decision
    from zhongtai.identity.explanations import Naming, PairExplanation, Step
    from zhongtai.identity.persons import PastExplanation, PersonExplanation
    from zhongtai.identity.references import Reference
    from zhongtai.identity.subjects import Subject
    from zhongtai.settings import Settings

    Explanation = PersonExplanation | PairExplanation | PastExplanation

_SHOWN = 20
_HIDDEN = {"component", "components", "over"}


def explain(  # noqa: PLR0913, PLR0917  # one parameter per option
    person_or_record: Annotated[str, typer.Argument(help="ONE_ID or SOURCE:ENTITY:KEY.")],
    other: Annotated[str | None, typer.Argument(help="ONE_ID or SOURCE:ENTITY:KEY.")] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", help="Who was it at this instant: a date or an ISO time."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Also draw who belongs together into this file.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Why two records or ids are one person, or why not; or all about one. Values are masked.

    **Examples**

        zhongtai explain crm:leads:L-1 dms:orders:O-7 --home .zhongtai

        zhongtai explain u_01a1fd6746bb7001a275b340383f010c --svg person.svg

        zhongtai explain crm:leads:L-1 --on 2026-03-31
    """
    at = parse_as_of(on, "--on")
    if at and (other or svg):
        raise ConfigurationError(
            f"--on was given with {'two records' if other else '--svg'}",
            hint="--on tells who one record or id was; ask about one, without --svg",
        )
    found = _find(open_home(home), person_or_record, other, at)
    if as_json:
        say_json(_plain(found))
    else:
        _say(found)
    if svg:
        _write(svg, found)


def _find(
    settings: "Settings", subject: str, other: str | None, at: datetime | None
) -> "Explanation":
    with server_on_demand(settings):
        from zhongtai.identity.declaration import load_declaration
        from zhongtai.identity.explanations import explain_pair
        from zhongtai.identity.persons import explain_past, explain_person
        from zhongtai.identity.published_map import open_map

        declaration = load_declaration(settings.project_dir)
        with open_map(settings) as published:
            if at:
                return explain_past(published, subject, at)
            if other:
                return explain_pair(published, declaration, subject, other)
            return explain_person(published, declaration, subject)


def _say(found: "Explanation") -> None:
    from zhongtai.identity.explanations import PairExplanation
    from zhongtai.identity.persons import PersonExplanation

    if isinstance(found, PairExplanation):
        _say_pair(found)
    elif isinstance(found, PersonExplanation):
        _say_person(found)
    else:
        _say_past(found)


def _write(file: Path, found: "Explanation") -> None:
    from zhongtai.identity.explanations import PairExplanation
    from zhongtai.identity.persons import PersonExplanation
    from zhongtai.identity.pictures import draw_pair, draw_person

    picture = ""
    if isinstance(found, PairExplanation):
        picture = draw_pair(found)
    elif isinstance(found, PersonExplanation):
        picture = draw_person(found)
    try:
        file.write_text(picture, "utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the picture cannot be written to {file}: {error.strerror}",
            hint="give a file in a folder that exists with --svg",
        ) from error
    # what names the records of a person is not for everybody
    file.chmod(0o600)


def _plain(value: object) -> object:
    """What JSON can hold: records by their names, masked where need be; times in UTC."""
    from zhongtai.identity.references import Reference

    if isinstance(value, Reference):
        return _name(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in fields(value)
            if field.name not in _HIDDEN
        }
    if isinstance(value, frozenset):
        return sorted(str(_plain(one)) for one in value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return mask_asked(value) if isinstance(value, str) else value


def _name(reference: "Reference") -> str:
    return f"{reference.source}:{reference.entity}:{mask_key(reference.record_key)}"


def _say_pair(pair: "PairExplanation") -> None:
    left, right = _subject(pair.left), _subject(pair.right)
    if not pair.is_one_person:
        say(f"{left} and {right} are two persons")
        for decision in pair.decisions:
            say(f"  {_decision(decision)}")
        say_table(
            ("  record", "other record", "identifier", "value", "reason", "meaning"),
            [
                (
                    "  " + _name(r.record),
                    _name(r.other_record),
                    r.identifier_type,
                    r.value,
                    r.reason,
                    r.meaning,
                )
                for r in pair.refused[:_SHOWN]
            ],
        )
        _say_more(len(pair.refused))
        if not pair.refused and not pair.decisions:
            say("  nothing that they name is the same, and matching found no likeness to weigh")
        return
    say(f"{left} and {right} are one person: {pair.left.one_id}")
    if not pair.path:
        say("  they are the same records")
    for number, step in enumerate(pair.path, start=1):
        say(f"  {number}. {_name(step.record)} and {_name(step.other_record)}: {_step(step)}")
        for naming in step.named_by:
            say(f"       {_naming(naming)}")
        say_table(
            ("       ", "one", "other", "agreement", "weight"),
            [
                (f"       {c.comparison}", c.value, c.other_value, c.agreement, f"{c.weight:+.1f}")
                for c in step.comparisons
            ],
        )


def _step(step: "Step") -> str:
    if step.decision:
        return _decision(step.decision)
    if step.rule == "similar person":
        return f"alike, match weight {step.weight:+.1f}"
    scope = f" of {step.identifier_scope}" if step.identifier_scope else ""
    named = " and the same name" if step.rule == "identifier and name" else ""
    return f"{step.identifier_type} {step.value}{scope}{named} (priority {step.weight})"


def _naming(naming: "Naming") -> str:
    proved = ", proved to hold it" if naming.is_verified else ""
    lines = f"{naming.record_count:,} ×" if naming.record_count else ""
    return f"{_name(naming.record)} named it {lines} {_span(naming)}{proved}"


def _span(naming: "Naming") -> str:
    days = (_day(naming.first_seen_at), _day(naming.last_seen_at))
    return " … ".join(dict.fromkeys(filter(None, days))) or "at a time not known"


def _decision(decision: "Decision") -> str:
    return (
        f"decision {decision.decision_id}: {decision.kind} by {decision.author} on"
        f" {decision.decided_at:%Y-%m-%d}: {decision.reason}"
    )


def _subject(subject: "Subject") -> str:
    if subject.retired_one_id:
        return f"{subject.asked} (now {subject.one_id})"
    return mask_asked(subject.asked)


def _say_person(person: "PersonExplanation") -> None:
    subject = person.subject
    say(subject.one_id if subject.asked == subject.one_id else f"{_subject(subject)}:")
    if subject.asked != subject.one_id and not subject.retired_one_id:
        say(f"is {subject.one_id}")
    say(f"\n{len(person.records):,} records")
    say_table(
        ("  record", "linked by", "linked at (UTC)", "this person's since (UTC)"),
        [
            (f"  {_name(r.record)}", r.linked_by, _minute(r.linked_at), _minute(r.since))
            for r in person.records[:_SHOWN]
        ],
    )
    _say_more(len(person.records))
    say(f"\n{len(person.identifiers):,} identifiers")
    say_table(
        ("  identifier", "value", "scope", "records", "first", "last", "links"),
        [
            (
                f"  {one.identifier_type}",
                one.value,
                one.identifier_scope,
                len(one.named_by),
                min(
                    (f"{n.first_seen_at:%Y-%m-%d}" for n in one.named_by if n.first_seen_at),
                    default="",
                ),
                max(
                    (f"{n.last_seen_at:%Y-%m-%d}" for n in one.named_by if n.last_seen_at),
                    default="",
                ),
                f"no: {one.meaning}" if one.meaning else "yes",
            )
            for one in person.identifiers[:_SHOWN]
        ],
    )
    _say_more(len(person.identifiers))
    _say_past_of(person)


def _say_past_of(person: "PersonExplanation") -> None:
    say(f"\n{len(person.conflicts):,} links refused")
    say_table(
        ("  record", "other record", "other person", "identifier", "reason", "meaning"),
        [
            (
                f"  {_name(c.refusal.record)}",
                _name(c.refusal.other_record),
                c.other_one_id,
                c.refusal.identifier_type,
                c.refusal.reason,
                c.refusal.meaning,
            )
            for c in person.conflicts[:_SHOWN]
        ],
    )
    _say_more(len(person.conflicts))
    say(f"\n{len(person.decisions):,} decisions")
    for decision in person.decisions:
        say(f"  {_decision(decision)}")
    say("\nhistory")
    say_table(
        ("  at (UTC)", "change", "id", "previous id", "records", "reason"),
        [
            (
                f"  {_minute(c.changed_at)}",
                c.change,
                c.one_id,
                c.previous_one_id,
                c.record_count,
                c.reason,
            )
            for c in person.history[-_SHOWN:]
        ],
    )
    say_table(
        ("  record", "was", "from (UTC)", "to (UTC)"),
        [
            (f"  {_name(p.reference)}", p.one_id, _minute(p.valid_from), _minute(p.valid_to))
            for p in person.past[-_SHOWN:]
        ],
    )


def _say_past(past: "PastExplanation") -> None:
    say(f"at {past.at:%Y-%m-%d %H:%M} UTC {mask_asked(past.asked)} was {past.one_id}")
    if past.one_id_now is None:
        say("  that id was erased since")
    elif past.one_id_now != past.one_id:
        say(f"  that id is now {past.one_id_now}")
    say(f"  of {len(past.records):,} records")
    for record in past.records[:_SHOWN]:
        say(f"  {_name(record)}")
    _say_more(len(past.records))


def _say_more(total: int) -> None:
    if total > _SHOWN:
        say(f"  and {total - _SHOWN:,} more: --json lists all")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
