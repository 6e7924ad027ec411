"""Commands about audiences: what is declared, whom it selects, and its export."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.decisions import Author, current_user
from zhongtai.cli.options import AsJson, Because, Home, make_settings, open_home
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.previews import say_preview
from zhongtai.cli.server import server_on_demand

if TYPE_CHECKING:
    from zhongtai.tags.exports import Export

PANEL = "Tags"
AudienceId = Annotated[str, typer.Argument(metavar="NAME", help="Id of the audience.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    audience = typer.Typer(no_args_is_help=True, help="Audiences: whom to reach, why, and how.")
    audience.command("list")(list_audiences)
    for command in (show, export, exports):
        audience.command()(command)
    app.add_typer(audience, name="audience", rich_help_panel=PANEL)


def list_audiences(home: Home = None, as_json: AsJson = False) -> None:
    """Every declared audience with its purpose, destination and condition.

    **Examples**

        zhongtai audience list

        zhongtai audience list --json
    """
    from zhongtai.tags.audiences import load_audiences

    found = load_audiences(make_settings(home).project_dir).values()
    if as_json:
        say_json([{**asdict(one), "file": one.file.name} for one in found])
        return
    say_table(
        ("audience", "name", "status", "purpose", "destination", "identifier", "condition"),
        [
            (
                one.audience_id,
                one.name_zh,
                one.status,
                one.purpose,
                one.destination,
                one.identifier if one.form == "clear" else f"{one.identifier} ({one.form})",
                one.condition,
            )
            for one in found
        ],
    )
    if not found:
        say("no audience is declared")


def show(name: AudienceId, home: Home = None, as_json: AsJson = False) -> None:
    """Whom an audience selects in the published snapshot, as `tags preview` shows it.

    **Examples**

        zhongtai audience show high_intent_call
    """
    from zhongtai.tags.audiences import load_audiences
    from zhongtai.tags.preview import open_store, preview_condition

    settings = make_settings(home)
    one = load_audiences(settings.project_dir).find(name)
    with open_store(settings) as store:
        found = preview_condition(store, one.condition, purpose=one.purpose)
    if as_json:
        say_json({**asdict(one), "file": one.file.name, "preview": asdict(found)})
        return
    say(f"{one.audience_id}  {one.name_zh}: {one.description}")
    say(f"condition    {one.condition}")
    say(f"for          {one.destination}, {one.purpose}, by {one.identifier} ({one.form})")
    say_preview(found)


def export(  # noqa: PLR0913, PLR0917  # one parameter per option
    name: AudienceId,
    because: Because,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="A new file, .csv or .parquet. Default: in `exports` of it."),
    ] = None,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write who is in an audience to a file that only you may read. It is personal data.

    Persons without consent, employees and those who asked to be left alone are left out; what was
    written, for whom and why is recorded.

    **Examples**

        zhongtai audience export high_intent_call --to calls.csv --because "week 14"

        zhongtai audience export owners_to_exclude --to owners.parquet --because "Q2 campaign"
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.tags.exports import export_audience

        made, file = export_audience(
            settings, name, to, author=author or current_user(), because=because
        )
    if as_json:
        say_json({**asdict(made), "path": str(file)})
        return
    left_out = ", ".join(f"{reason} {number:,}" for reason, number in made.suppressed.items())
    say(f"{file}: {made.exported:,} of {made.selected:,} persons for {made.destination}")
    say(f"left out: {left_out or 'nobody'}")
    say(f"recorded as export {made.export_id}, sha256 {made.sha256}")


def exports(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only of this.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What was exported to whom, by whom and why, the newest first.

    **Examples**

        zhongtai audience exports high_intent_call
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.tags.exports import list_exports

        found = list_exports(settings, name)
    if name is not None and not found:
        from zhongtai.tags.audiences import load_audiences

        # an audience that is gone may have been exported; one that never was is mistyped
        load_audiences(settings.project_dir).find(name)
    if as_json:
        say_json([asdict(one) for one in found])
        return
    say_table(
        ("id", "audience", "at (UTC)", "for", "by", "because", "persons", "left out", "file"),
        [_row(one) for one in found],
    )
    if not found:
        say("nothing was exported")


def _row(one: "Export") -> tuple[object, ...]:
    return (
        one.export_id,
        f"{one.audience} {one.audience_version}",
        f"{one.exported_at:%Y-%m-%d %H:%M}",
        one.destination,
        one.author,
        one.reason,
        one.exported,
        sum(one.suppressed.values()),
        one.file,
    )
