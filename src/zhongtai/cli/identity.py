"""Commands about who is who: explanations and decisions, and what is to be forgotten."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.decisions import Author, current_user, make_decisions
from zhongtai.cli.explanations import explain
from zhongtai.cli.options import AsJson, AsOf, Home, Landing, open_home, parse_as_of
from zhongtai.cli.output import reporting, say, say_json, say_table
from zhongtai.cli.server import server_on_demand

if TYPE_CHECKING:
    from zhongtai.erasure.reports import Removal
    from zhongtai.retention import Expired

PANEL = "Persons"
_NEXT = "the next `zhongtai run` builds and publishes without them"
_DEFAULT_REASON = "the person asked for it"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=PANEL)(explain)
    app.command(rich_help_panel=PANEL)(erase)
    app.command(rich_help_panel=PANEL)(retention)
    app.add_typer(make_decisions(), name="identity", rich_help_panel=PANEL)


def erase(  # noqa: PLR0913, PLR0917  # one parameter per option
    identifier: Annotated[
        str, typer.Option("--identifier", help="TYPE=VALUE, for instance mobile=+86….")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would go, by layer.")
    ] = False,
    because: Annotated[
        str, typer.Option("--because", help="The reason, recorded: a ticket, nothing personal.")
    ] = _DEFAULT_REASON,
    author: Author = None,
    home: Home = None,
    landing: Landing = None,
    as_json: AsJson = False,
) -> None:
    """Erase the person behind an identifier: every record, in every file, snapshot and table.

    A value that several persons share erases nobody. What cannot be reached (backups, files handed
    out, a landing zone elsewhere) is told. Interrupted, it is completed by the next run.

    **Examples**

        zhongtai erase --identifier mobile=+8613800000000 --dry-run --home .zhongtai

        zhongtai erase --identifier crm_customer_id=C000000805 --because "ticket 4711"
    """
    from zhongtai.erasure.erasures import count_erasure, read_identifier

    asked = read_identifier(identifier)
    settings = open_home(home, landing)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        if dry_run:
            removal = count_erasure(settings, asked)
        else:
            removal = pipeline.erase(
                settings,
                asked,
                author=author or current_user(),
                because=because,
                progress=progress,
            )
    if as_json:
        say_json({"dry_run": dry_run, **asdict(removal)})
    else:
        _say_removal(removal, dry_run=dry_run)


def _say_removal(removal: "Removal", *, dry_run: bool) -> None:
    say_table(("layer", "would go" if dry_run else "went"), sorted(removal.counts.items()))
    for file in removal.landing:
        say(f"landed file to be removed by hand: {file}")
    for destination in removal.destinations:
        say(f"an export was handed out: tell {destination}")
    if not removal.is_log_clean:
        say("PostgreSQL keeps its write-ahead log by rules of its own: let it expire")
    say("nothing was changed" if dry_run else f"erased; {_NEXT}")


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would go, by entity.")
    ] = False,
    as_of: AsOf = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let go what is past the period that its contract declares.

    Every build does so by itself with ZHONGTAI_ENFORCE_RETENTION=true. An as-of that is still to
    come only counts with `--dry-run`.

    **Examples**

        zhongtai retention --dry-run --home .zhongtai

        zhongtai retention --dry-run --as-of 2027-01-01 --json
    """
    moment = parse_as_of(as_of)
    settings = open_home(home)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from datetime import UTC, datetime

        from zhongtai.contracts import load_contracts
        from zhongtai.retention import count_expired, enforce

        if dry_run:
            contracts = load_contracts(settings.project_dir)
            expired = count_expired(settings, contracts, moment or datetime.now(UTC))
        else:
            expired = enforce(settings, moment, progress)
    if as_json:
        say_json({"dry_run": dry_run, **asdict(expired)})
    else:
        _say_expired(expired, dry_run=dry_run)


def _say_expired(expired: "Expired", *, dry_run: bool) -> None:
    say_table(
        ("entity", "rows", "rows set aside", "files set aside"),
        [(name, *counts) for name, counts in sorted(expired.counts.items())],
    )
    if not expired.counts:
        say("nothing is past its retention period")
    else:
        say("nothing was changed" if dry_run else "gone; the next `zhongtai run` builds without")
    for file in expired.landing:
        say(f"landed file with rows that expired or were erased, to be removed by hand: {file}")
