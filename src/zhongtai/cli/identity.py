"""Commands about persons: explain, identity decisions, erasure. Not there yet, but spoken for."""

from typing import Annotated

import typer

from zhongtai.cli.options import Because, Home
from zhongtai.errors import ConfigurationError

PANEL = "Persons"
Record = Annotated[str, typer.Argument(help="SOURCE:ENTITY:KEY, for instance crm:leads:L-1.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(erase)
    decisions = typer.Typer(no_args_is_help=True, help="Recorded decisions about who is who.")
    for command in (merge, split, undo):
        decisions.command()(command)
    app.add_typer(decisions, name="identity", rich_help_panel=PANEL)


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


def merge(record: Record, other_record: Record, because: Because, home: Home = None) -> None:
    """Record that two records are one person (not there yet).

    **Examples**

        zhongtai identity merge crm:leads:L-1 dms:orders:O-7 --because "signed by both"
    """
    del record, other_record, because, home
    _refuse("identity merge", "correct the identifiers at the source for now")


def split(record: Record, other_record: Record, because: Because, home: Home = None) -> None:
    """Record that two records are two persons (not there yet).

    **Examples**

        zhongtai identity split crm:leads:L-1 dms:orders:O-7 --because "father and son"
    """
    del record, other_record, because, home
    _refuse("identity split", "correct the identifiers at the source for now")


def undo(
    decision: Annotated[str, typer.Argument(help="Id of the decision.")],
    because: Because,
    home: Home = None,
) -> None:
    """Take a recorded decision back (not there yet).

    **Examples**

        zhongtai identity undo 12 --because "mixed up two customers"
    """
    del decision, because, home
    _refuse("identity undo", "there are no decisions to take back")


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
