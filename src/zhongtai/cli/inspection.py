"""Commands that look: status, quarantine, contracts."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Home, make_settings, open_home
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.server import server_on_demand

if TYPE_CHECKING:
    from zhongtai.status import Status

PANEL = "Look"
_STATUS_ENTITIES = (
    "source",
    "entity",
    "freshness",
    "deliveries",
    "rows_in",
    "rows_loaded",
    "rows_quarantined",
    "rows_duplicate",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=PANEL)(status)
    app.command(rich_help_panel=PANEL)(doctor)
    app.command(rich_help_panel=PANEL)(audit)
    contracts = typer.Typer(no_args_is_help=True, help="The promises of the source systems.")
    contracts.command()(lint)
    app.add_typer(contracts, name="contracts", rich_help_panel=PANEL)


def status(home: Home = None, as_json: AsJson = False) -> None:
    """Ledger, freshness, last gate, snapshots, and what readers see.

    **Examples**

        zhongtai status --home .zhongtai

        zhongtai status --home .zhongtai --json
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.status import read_status

        found = read_status(settings)
    if as_json:
        say_json(found.as_dict())
    else:
        _say_status(found)


def _say_status(found: "Status") -> None:
    say(f"home       {found.home}")
    if found.current is None:
        say("published  nothing yet")
    else:
        current = found.current
        say(f"published  {current.snapshot_id}, as of {current.as_of:%Y-%m-%d %H:%M} UTC")
    if len(set(found.shown.values())) > 1:
        say("           the stores differ until the next run:")
        for store, snapshot_id in found.shown.items():
            say(f"           {store}: {snapshot_id or 'nothing'}")
    others = [s for s in found.rollback_choices if s != found.shown["postgres"]]
    if others:
        say(f"rollback   {', '.join(others)}")
    if found.last_run:
        run = found.last_run
        say(f"last run   {run['run_id']} ({run['command']}): {run['status']}")
    for run in found.interrupted:
        started = f"{run['started_at']:%Y-%m-%d %H:%M} UTC"
        say(f"killed     {run['run_id']} ({run['command']}), started {started}; the next goes on")
    if found.writer:
        say(f"at work    {found.writer}")
    if found.gate:
        say(f"last gate  {found.gate['verdict']}: {found.gate['because']}")
    totals = found.totals
    say(
        f"ledger     {totals['deliveries']} deliveries, {totals['rows_in']} rows in ="
        f" {totals['rows_loaded']} loaded + {totals['rows_quarantined']} quarantined"
        f" + {totals['rows_duplicate']} duplicate + {totals['rows_suppressed']} suppressed"
    )
    _say_erasures(found)
    say("")
    say_table(
        _STATUS_ENTITIES,
        [tuple(row.get(column, 0) for column in _STATUS_ENTITIES) for row in found.entities],
    )


def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Examine the installation: versions, disk, roles, locks, clocks, raw zone, ledger, stores.

    Says what is wrong and what to do; mends nothing. Exit code 1 where something is wrong.

    **Examples**

        zhongtai doctor --home .zhongtai

        zhongtai doctor --home .zhongtai --json
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.doctor import examine

        found = examine(settings)
    if as_json:
        say_json([{**asdict(one), "is_healthy": one.is_healthy} for one in found])
    else:
        for one in found:
            say(f"{'good ' if one.is_healthy else 'WRONG'}  {one.name:<12} {one.looked_at}")
            for symptom in one.symptoms:
                say(f"       {symptom.found}\n       what to do: {symptom.what_to_do}")
    if not all(one.is_healthy for one in found):
        raise typer.Exit(1)


def audit(
    advisories: Annotated[
        Path, typer.Argument(help="An export of osv.dev: all.zip of PyPI, or records as JSON.")
    ],
    lock: Annotated[
        Path | None, typer.Option("--lock", help="A requirements.lock instead of what is here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold the installed packages against known advisories. Needs no network; exit code 1 if any.

    **Examples**

        zhongtai audit all.zip

        zhongtai audit all.zip --lock requirements.lock --json
    """
    from zhongtai.advisories import audit as hold_against
    from zhongtai.advisories import list_installed, list_locked

    found = hold_against(list_locked(lock) if lock else list_installed(), advisories)
    if as_json:
        say_json(asdict(found))
    else:
        say_table(
            ("package", "version", "advisory", "fixed in", "summary"),
            [(v.package, v.version, v.advisory, v.fixed_in, v.summary) for v in found.found],
        )
        say(f"{found.packages} packages, {found.advisories} advisories, {len(found.found)} apply")
    if found.found:
        raise typer.Exit(1)


def _say_erasures(found: "Status") -> None:
    erasures = found.erasures
    if erasures["done"] or erasures["interrupted"]:
        interrupted = f", {erasures['interrupted']} to be completed" * bool(erasures["interrupted"])
        say(f"erased     {erasures['done']} persons{interrupted}")
    for request in erasures["waiting"]:
        why = {"shared": "several persons share", "unknown": "nobody has"}.get(request["reason"])
        what = f"{why} its {request['identifier_type']}" if why else "it waits for `zhongtai erase`"
        say(f"request    {request['request_id']} erased nobody: {what}")


def lint(home: Home = None, as_json: AsJson = False) -> None:
    """Read every contract of expectations/raw; a wrong one is named with file and line.

    **Examples**

        zhongtai contracts lint
    """
    from zhongtai.contracts import load_contracts

    contracts = load_contracts(make_settings(home).project_dir)
    if as_json:
        say_json({"contracts": sorted(contracts), "sources": list(contracts.sources)})
        return
    columns = sum(len(contract.columns) for contract in contracts.values())
    say(f"{len(contracts)} contracts of {len(contracts.sources)} sources, {columns} columns: good")
