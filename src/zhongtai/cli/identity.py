"""Commands about who is who: recorded decisions and their undoing; erasure is spoken for."""

from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Because, Home, make_settings
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.identity.decisions import Decision, Kind

PANEL = "Persons"
Record = Annotated[str, typer.Argument(help="SOURCE:ENTITY:KEY, for instance crm:leads:L-1.")]
Author = Annotated[
    str | None, typer.Option("--author", help="Who decides. Default: the user of this computer.")
]
_NEXT = "the next `zhongtai run` (or build and publish) applies it"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(erase)
    decisions = typer.Typer(no_args_is_help=True, help="Recorded decisions about who is who.")
    for command in (merge, split, undo):
        decisions.command()(command)
    decisions.command("list")(list_recorded)
    app.add_typer(decisions, name="identity", rich_help_panel=PANEL)


def merge(  # noqa: PLR0913, PLR0917  # one parameter per option
    record: Record,
    other_record: Record,
    because: Because,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Record that two records are one person, whatever contradicts it.

    **Examples**

        zhongtai identity merge crm:leads:L-1 dms:orders:O-7 --because "signed by both"

        zhongtai identity merge crm:leads:L-1 crm:leads:L-2 --because "ticket 88" --author mei
    """
    _decide("merge", (record, other_record), because, author, (home, as_json))


def split(  # noqa: PLR0913, PLR0917  # one parameter per option
    record: Record,
    other_record: Record,
    because: Because,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Record that two records are two persons, whatever joins them.

    **Examples**

        zhongtai identity split crm:leads:L-1 dms:orders:O-7 --because "father and son"
    """
    _decide("split", (record, other_record), because, author, (home, as_json))


def undo(
    decision: Annotated[int, typer.Argument(help="Number of the decision.")],
    because: Because,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a recorded decision back; who was who before it is so again.

    **Examples**

        zhongtai identity undo 12 --because "mixed up two customers"
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.identity.decisions import undo_decision

        undone = undo_decision(
            settings, decision, author=author or _current_user(), because=because
        )
    _say_decision(undone, f"undone: {undone}; {_NEXT}", as_json)


def list_recorded(
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were undone or decided anew.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The decisions that hold, oldest first.

    **Examples**

        zhongtai identity list --home .zhongtai

        zhongtai identity list --all --json
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.identity.decisions import list_decisions

        decisions = list_decisions(settings, with_undone=every)
    if as_json:
        say_json([_as_dict(decision) for decision in decisions])
        return
    say_table(
        ("id", "kind", "record", "other record", "author", "decided (UTC)", "because", "undone"),
        [
            (
                d.decision_id,
                d.kind,
                str(d.left),
                str(d.right),
                d.author,
                f"{d.decided_at:%Y-%m-%d %H:%M}",
                d.reason,
                f"{d.undone_at:%Y-%m-%d %H:%M} by {d.undone_by}: {d.undone_because}"
                if d.undone_at
                else None,
            )
            for d in decisions
        ],
    )
    if not decisions:
        say("nothing is decided")


def _decide(
    kind: "Kind",
    records: tuple[str, str],
    because: str,
    author: str | None,
    options: tuple[Home, bool],
) -> None:
    from zhongtai.identity.references import parse_reference

    home, as_json = options
    record, other = (parse_reference(text) for text in records)
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.identity.decisions import decide

        made = decide(
            settings, kind, record, other, author=author or _current_user(), because=because
        )
    _say_decision(made, f"recorded: {made}; {_NEXT}", as_json)


def _say_decision(decision: "Decision", text: str, as_json: bool) -> None:
    if as_json:
        say_json(_as_dict(decision))
    else:
        say(text)


def _as_dict(decision: "Decision") -> dict[str, object]:
    return {
        "decision_id": decision.decision_id,
        "kind": decision.kind,
        "record": str(decision.left),
        "other_record": str(decision.right),
        "author": decision.author,
        "because": decision.reason,
        "decided_at": decision.decided_at,
        "undone_at": decision.undone_at,
        "undone_by": decision.undone_by,
        "undone_because": decision.undone_because,
    }


def _current_user() -> str:
    import os
    import pwd

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        # a container may run as a number that has no name
        return f"user {number}"


def _refuse(command: str, instead: str) -> None:
    raise ConfigurationError(f"`zhongtai {command}` is not there yet", hint=instead)


def explain(
    person_or_record: Annotated[str, typer.Argument(help="ONE_ID or SOURCE:ENTITY:KEY.")],
    other_record: Annotated[str | None, typer.Argument(help="SOURCE:ENTITY:KEY")] = None,
    home: Home = None,
) -> None:
    """Why these records are one person, or why not (not there yet).

    **Examples**

        zhongtai explain crm:leads:L-1 dms:orders:O-7 --home .zhongtai
    """
    del person_or_record, other_record, home
    _refuse("explain", "profiles.bridge_user_records says which identifier linked each record")


def erase(
    identifier: Annotated[str, typer.Option("--identifier", help="TYPE=VALUE, mobile=+86…")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    home: Home = None,
) -> None:
    """Erase a person from every file, snapshot and table (not there yet).

    **Examples**

        zhongtai erase --identifier mobile=+8613800000000 --dry-run --home .zhongtai
    """
    del identifier, dry_run, home
    _refuse("erase", "delete the rows at the source and in the landing zone, then rebuild the home")
