"""Commands about tags: what there is, who has them, and since when."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zhongtai.cli.options import AsJson, Home, make_settings
from zhongtai.cli.output import percent, say, say_json, say_table, short
from zhongtai.cli.previews import overlap, preview
from zhongtai.cli.statements import clear, set_tag, statements
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.tags.inspection import TagUse

PANEL = "Tags"
TagId = Annotated[str, typer.Argument(metavar="TAG", help="Id of the tag.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    tags = typer.Typer(no_args_is_help=True, help="Tags: what there is, who has them, and why.")
    tags.command("list")(list_tags)
    for command in (show, lint, history, preview, overlap):
        tags.command()(command)
    tags.command("set")(set_tag)
    tags.command()(clear)
    tags.command()(statements)
    app.add_typer(tags, name="tags", rich_help_panel=PANEL)


def list_tags(
    group: Annotated[str | None, typer.Option("--group", help="Only this group.")] = None,
    status: Annotated[
        Literal["draft", "in_review", "published", "inactive", "retired"] | None,
        typer.Option("--status", help="Only of this status."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Every declared tag with its state, coverage and how many use it.

    **Examples**

        zhongtai tags list --group intent

        zhongtai tags list --status published --json
    """
    from zhongtai.tags.inspection import list_tags as find_tags

    every = find_tags(make_settings(home))
    groups = sorted({use.tag.group for use in every})
    if group is not None and group not in groups:
        raise ConfigurationError(
            f"there is no group of tags {group}", hint=f"known: {', '.join(groups)}"
        )
    found = [
        use for use in every if group in (None, use.tag.group) and status in (None, use.tag.status)
    ]
    if as_json:
        say_json([_as_dict(use) for use in found])
        return
    say_table(
        ("tag", "name", "group", "kind", "value", "status", "coverage", "used by"),
        [
            (
                use.tag.tag_id,
                use.tag.name_zh,
                use.tag.group,
                use.tag.kind,
                use.tag.value_type,
                use.tag.status,
                percent(use.health["coverage"]) if use.health else "",
                len(use.used_by),
            )
            for use in found
        ],
    )
    say(f"{len(found)} tags" if found else "no tag is declared so")


def show(tag: TagId, home: Home = None, as_json: AsJson = False) -> None:
    """A tag: declaration, version, where it comes from, who uses it, and its last health.

    **Examples**

        zhongtai tags show finance_interest

        zhongtai tags show preferred_series --json
    """
    from zhongtai.tags.inspection import find_tag, read_declaration, read_lineage

    settings = make_settings(home)
    use = find_tag(settings, tag)
    lineage = read_lineage(settings, use.tag)
    if as_json:
        declared = {"columns": lineage, "declaration": read_declaration(use.tag)}
        say_json(_as_dict(use) | declared)
        return
    say(read_declaration(use.tag))
    say("")
    place = use.tag.file.name
    say(f"declared   {place}:{use.tag.line}, version {use.version}, {use.tag.status}")
    say(f"owner      {use.tag.owner}")
    say(f"consent    {use.tag.consent}")
    origins = [*use.sources, *(f"tag {parent}" for parent in use.tag.parents)]
    say(f"rests on   {', '.join(origins) or 'nothing'}")
    say(f"columns    {', '.join(lineage) or 'none'}")
    say(f"used by    {', '.join(use.used_by) or 'nobody'}")
    if use.health is None:
        say("health     not published yet")
        return
    say(f"health     on {use.health['date']}:")
    for name, value in use.health.items():
        if name not in ("date", "tag_id") and value is not None:
            say(f"           {name} {short(value)}")


def lint(home: Home = None, as_json: AsJson = False) -> None:
    """Read every declaration of tags and audiences; a wrong one is named with file and line.

    **Examples**

        zhongtai tags lint
    """
    from zhongtai.tags.inspection import lint as read_all

    tags, audiences = read_all(make_settings(home))
    if as_json:
        say_json({"tags": sorted(tags), "audiences": sorted(audiences)})
        return
    say(f"{len(tags)} tags ({len(tags.published)} published), {len(audiences)} audiences: good")


def history(
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]", help="Id of the tag.")] = None,
    one_id: Annotated[
        str | None, typer.Option("--one-id", help="Of this person, by one_id.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The days of a tag (version, coverage, who came and went), or the tags of a person.

    **Examples**

        zhongtai tags history finance_interest

        zhongtai tags history --one-id u_0190f2…

        zhongtai tags history car_owner --one-id u_0190f2… --json
    """
    if one_id is not None:
        _say_person(home, one_id, tag, as_json)
        return
    if tag is None:
        raise ConfigurationError(
            "neither a tag nor a person was named", hint="give a TAG, or a person with --one-id"
        )
    from zhongtai.tags.inspection import read_tag_history

    found = read_tag_history(make_settings(home), tag)
    if as_json:
        say_json(asdict(found))
        return
    for change in found.registered:
        say(
            f"version {change.version} ({change.content_hash}, {change.status}), registered on"
            f" {change.registered_on} by {change.author}: {change.because}"
        )
    for version in found.versions:
        say(f"{version.version} in force from {version.first} to {version.last}")
    columns = [name for name in (found.days[0] if found.days else ()) if name != "tag_id"]
    say_table(columns, [[short(day[name]) for name in columns] for day in found.days])
    if not found.days:
        say("it was never published")


def _say_person(home: Home, one_id: str, tag: str | None, as_json: bool) -> None:
    from zhongtai.tags.inspection import read_person_history

    found = read_person_history(make_settings(home), one_id, tag)
    if as_json:
        say_json(asdict(found))
        return
    say(f"{found.one_id}  {found.name or ''}  {found.mobile or ''}".rstrip())
    if found.former_ids:
        say(f"was also {', '.join(found.former_ids)}")
    say_table(
        ("tag", "value", "from (UTC)", "to (UTC)", "version", "source"),
        [
            (
                period["tag_id"],
                period["value"],
                f"{period['valid_from']:%Y-%m-%d %H:%M}",
                f"{period['valid_to']:%Y-%m-%d %H:%M}" if period["valid_to"] else "",
                period["tag_version"],
                period["source"],
            )
            for period in found.periods
        ],
    )
    if not found.periods:
        say("no tag was ever published")


def _as_dict(use: "TagUse") -> dict[str, Any]:
    tag = use.tag
    return {
        "tag_id": tag.tag_id,
        "name_zh": tag.name_zh,
        "name_en": tag.name_en,
        "description": tag.description,
        "group": tag.group,
        "owner": tag.owner,
        "kind": tag.kind,
        "value_type": tag.value_type,
        "status": tag.status,
        "consent": tag.consent,
        "version": use.version,
        "exclusive_group": tag.exclusive_group,
        "ttl_days": tag.ttl_days,
        "history_days": tag.history_days,
        "sources": use.sources,
        "parents": tag.parents,
        "used_by": use.used_by,
        "health": use.health,
    }
