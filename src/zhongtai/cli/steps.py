"""Commands that move data: run, ingest, build, check, publish, release, rollback."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zhongtai.cli.options import (
    AsJson,
    AsOf,
    Because,
    Home,
    Landing,
    RunId,
    make_settings,
    open_home,
    parse_as_of,
    without_waiting,
)
from zhongtai.cli.output import reporting, say, say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError, GateHeldError

if TYPE_CHECKING:
    from zhongtai.ingest import IngestReport
    from zhongtai.pipeline import Outcome

PANEL = "Run"
_MOST_STRAYS = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (run, ingest, build, check, publish, release, rollback):
        app.command(rich_help_panel=PANEL)(command)


def run(
    home: Home = None,
    landing: Landing = None,
    as_of: AsOf = None,
    target: Annotated[
        Literal["duckdb", "spark"], typer.Option("--target", help="Engine that builds the tables.")
    ] = "duckdb",
    as_json: AsJson = False,
) -> None:
    """One shot without a scheduler: ingest what is complete, build, check, publish.

    The last line says whether it published or had nothing new. Exit code 0: published or nothing
    new; 3: held by the gate; 2: wrong usage or configuration; 1: anything else.

    **Examples**

        zhongtai run --landing exports/landing --home .zhongtai

        zhongtai run --landing exports/landing --home .zhongtai --as-of 2026-03-31 --json
    """
    if target != "duckdb":
        raise ConfigurationError(
            "--target spark is not there yet", hint="leave --target away: DuckDB builds the tables"
        )
    instant = parse_as_of(as_of)
    settings = without_waiting(make_settings(home, landing))
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        try:
            outcome = pipeline.run_once(settings, instant, progress)
        except GateHeldError as error:
            if as_json:
                say_json({"status": "held", "because": error.message})
            raise
    if as_json:
        say_json(
            {
                "status": outcome.status,
                "snapshot_id": outcome.snapshot_id,
                "run_id": outcome.run_id,
                "ingested": outcome.ingested.as_dict(),
            }
        )
    else:
        _say_outcome(outcome)


def _say_outcome(outcome: "Outcome") -> None:
    _say_ingested(outcome.ingested)
    if outcome.status == "published":
        say(f"published snapshot {outcome.snapshot_id}")
    elif outcome.snapshot_id:
        say(f"nothing new: readers keep snapshot {outcome.snapshot_id}")
    else:
        say("nothing new: no delivery has arrived yet")


def ingest(
    home: Home = None,
    landing: Landing = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Only this source, for instance crm.")
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Load what is complete in the landing zone; every file and every row is accounted for.

    **Examples**

        zhongtai ingest --landing exports/landing --home .zhongtai

        zhongtai ingest --source crm --home .zhongtai --json
    """
    instant = parse_as_of(as_of)
    settings = without_waiting(make_settings(home, landing))
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        report = pipeline.ingest(settings, source, instant, progress)
    if as_json:
        say_json(report.as_dict())
    else:
        _say_ingested(report)


def _say_ingested(report: "IngestReport") -> None:
    names = ("loaded", "duplicate", "quarantined", "rows_in")
    rows = ("rows_loaded", "rows_quarantined", "rows_duplicate")
    say_table(
        ("entity", "files loaded", "duplicate", "quarantined", "rows in", *rows),
        [
            (name, *(asdict(entity)[field] for field in (*names, *rows)))
            for name, entity in sorted(report.entities.items())
        ],
    )
    if report.waiting or report.strays:
        say(
            f"{len(report.waiting)} files wait for completion, {len(report.strays)} fit no contract"
        )
    for left in (report.waiting, report.strays):
        for stray in left[:_MOST_STRAYS]:
            say(f"  {stray.file} {stray.reason}\n    what to do: {stray.advice}")
        if len(left) > _MOST_STRAYS:
            say(f"  and {len(left) - _MOST_STRAYS} more")
    if not report.deliveries:
        say("no new delivery")


def build(home: Home = None, as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Build a candidate from everything loaded; readers see nothing of it yet.

    **Examples**

        zhongtai build --home .zhongtai

        zhongtai build --home .zhongtai --as-of 2026-03-31T18:00+08:00
    """
    instant, settings = parse_as_of(as_of), make_settings(home)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        run_id = pipeline.build(settings, instant, progress)
    if as_json:
        say_json({"status": "built" if run_id else "nothing_new", "run_id": run_id})
    else:
        say(f"built the candidate of run {run_id}" if run_id else "nothing new to build")


def check(home: Home = None, run_id: RunId = None, as_json: AsJson = False) -> None:
    """Let the gate judge the candidate. Exit code 3 when it is held.

    **Examples**

        zhongtai check --home .zhongtai

        zhongtai check --home .zhongtai --run 20260331T160000-3f9a1c2b --json
    """
    settings = open_home(home)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        verdict = pipeline.check(settings, run_id, progress)
        held = "" if verdict.passed else pipeline.describe_hold(settings, run_id)
    if as_json:
        say_json({"status": "passed" if verdict.passed else "held", "because": verdict.because})
    if held:
        raise GateHeldError(held, hint=pipeline.HOLD_HINT)
    if not as_json:
        say(f"passed: {verdict.because}")


def publish(home: Home = None, run_id: RunId = None, as_json: AsJson = False) -> None:
    """Show the checked candidate to every reader, in all stores at once.

    **Examples**

        zhongtai publish --home .zhongtai
    """
    settings = open_home(home)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        snapshot_id = pipeline.publish(settings, run_id, progress)
    _say_published(snapshot_id, as_json=as_json)


def release(
    because: Because,
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", help="Only this one. Default: the one held last.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish the candidate that the gate holds, for a reason that is recorded.

    A candidate whose rows do not balance is never released. With --snapshot nothing else is
    released, whatever was held since you looked.

    **Examples**

        zhongtai release --because "the campaign doubled the leads" --home .zhongtai
    """
    settings = open_home(home)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        snapshot_id = pipeline.release(settings, because, progress, snapshot)
    _say_published(snapshot_id, as_json=as_json)


def _say_published(snapshot_id: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"status": "published", "snapshot_id": snapshot_id})
    else:
        say(f"published snapshot {snapshot_id}")


def rollback(
    snapshot_id: Annotated[str, typer.Argument(help="One that `zhongtai status` lists.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show an earlier snapshot in all stores; nothing is copied, a later publish goes on from it.

    **Examples**

        zhongtai rollback 20260331T160000Z-3f9a1c2b --home .zhongtai
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai import publish as publication

        publication.rollback(settings, snapshot_id)
    if as_json:
        say_json({"status": "rolled_back", "snapshot_id": snapshot_id})
    else:
        say(f"readers see snapshot {snapshot_id} again")
