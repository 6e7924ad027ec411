"""Commands about who is who: explanations and decisions; erasure is spoken for."""

from typing import Annotated

import typer

from zhongtai.cli.decisions import make_decisions
from zhongtai.cli.explanations import explain
from zhongtai.cli.options import Home
from zhongtai.errors import ConfigurationError

PANEL = "Persons"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(erase)
    app.add_typer(make_decisions(), name="identity", rich_help_panel=PANEL)


def _refuse(command: str, instead: str) -> None:
    raise ConfigurationError(f"`zhongtai {command}` is not there yet", hint=instead)


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
