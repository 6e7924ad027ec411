"""Commands that count whom a condition selects, before it is used: preview, overlap."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zhongtai.cli.options import AsJson, Home, make_settings
from zhongtai.cli.output import percent, say, say_json, say_table, short

if TYPE_CHECKING:
    from zhongtai.tags.preview import Preview


def preview(  # noqa: PLR0913, PLR0917  # one parameter per option
    condition: Annotated[
        str, typer.Argument(metavar="CONDITION", help="A condition over tags and the profile.")
    ],
    overlap_with: Annotated[
        list[str] | None,
        typer.Option(
            "--overlap", metavar="NAME", help="A tag, TAG=VALUE or an audience; several times."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", help="Who would enter and leave this tag or audience."),
    ] = None,
    purpose: Annotated[
        Literal["marketing", "personalisation", "service"],
        typer.Option("--purpose", help="What the selection is meant for."),
    ] = "marketing",
    examples: Annotated[int, typer.Option("--examples", min=0, max=100, help="How many.")] = 10,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """How many persons a condition selects, exactly, and what one should know of them.

    **Examples**

        zhongtai tags preview "finance_interest and preferred_series = 'ZT7'"

        zhongtai tags preview "car_owner and not in_complaint" --overlap nps_class=推荐者

        zhongtai tags preview "activity_band in ('高')" --against high_intent_call --json
    """
    from zhongtai.tags.audiences import load_audiences
    from zhongtai.tags.preview import open_store, preview_condition

    settings = make_settings(home)
    audiences = load_audiences(settings.project_dir).conditions
    with open_store(settings) as store:
        found = preview_condition(
            store,
            condition,
            overlap=overlap_with or (),
            against=against,
            purpose=purpose,
            audiences=audiences,
            examples=examples,
        )
    if as_json:
        say_json(asdict(found))
    else:
        say_preview(found)


def say_preview(found: "Preview") -> None:
    """A preview, for people."""
    say(f"snapshot     {found.snapshot_id}, as of {found.as_of:%Y-%m-%d %H:%M} UTC")
    say(f"selected     {found.users:,} of {found.persons:,} persons ({percent(found.share)})")
    say(f"suppressed   {found.consent_suppressed:,} without consent to {found.purpose}")
    say(
        f"also         {found.staff:,} employees, {found.undisturbed:,} who asked to be left alone,"
        f" {found.minors:,} who are too young"
    )
    reached = [f"{kind} {number:,}" for kind, number in found.identifiers.items()]
    say(f"identifiers  {', '.join(reached) or 'none'}")
    if found.change:
        change = found.change
        say(
            f"against      {change.name} ({change.users:,}): {change.entering:,} would enter,"
            f" {change.staying:,} stay, {change.leaving:,} leave"
        )
    for other in found.overlaps:
        say(
            f"overlap      {other.name} ({other.users:,}): {other.shared:,} in both,"
            f" {percent(other.share)} of the selection"
        )
    for note in found.notes:
        say(f"note         {note}")
    cost = found.cost
    tags = f"; its tags took {cost.tag_seconds:.2f} s in the last run" if cost.tag_seconds else ""
    say(
        f"cost         {cost.clauses} clauses over {cost.columns} columns, {cost.megabytes} MB,"
        f" {cost.seconds * 1000:.0f} ms{tags}"
    )
    if found.examples:
        say("")
        names = list(found.examples[0])
        say_table(names, [[short(row[name]) for name in names] for row in found.examples])


def overlap(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tags, each TAG or TAG=VALUE. Default: all.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many pairs to show.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """How much tags have in common, pair by pair, the most alike first.

    **Examples**

        zhongtai tags overlap --limit 10

        zhongtai tags overlap finance_interest preferred_series=ZT7 car_owner --json
    """
    from zhongtai.tags.preview import list_overlaps, open_store

    with open_store(make_settings(home)) as store:
        pairs = list_overlaps(store, names or ())
    if as_json:
        say_json([asdict(pair) for pair in pairs[:limit]])
        return
    say_table(
        ("tag", "users", "other", "users", "both", "of either"),
        [
            (p.name, p.users, p.other, p.other_users, p.shared, percent(p.likeness))
            for p in pairs[:limit]
        ],
    )
    say(f"{len(pairs):,} pairs, {min(limit, len(pairs)):,} are shown")
