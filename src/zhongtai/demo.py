"""`make demo`: sample exports arrive in three waves, a real Airflow loads, builds and publishes."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from zhongtai.addresses import masked
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.landing import is_local
from zhongtai.service import AirflowAddress, start_services
from zhongtai.settings import Settings

PEOPLE, DAYS, SEED, WAVES = 2000, 30, 7, 3
WAVE_TIMEOUT_SECONDS = 420.0
STABLE_SECONDS = 2  # `deliver` moves every file into its place whole


@dataclass
class Progress:
    """What the ledger says: deliveries and rows by source, runs, snapshots."""

    sources: list[tuple[str, int, int, int, int]]
    stage: str
    snapshots: list[tuple[str, str]]


def read_progress(connection: psycopg.Connection) -> Progress:
    """Counts for the live display."""
    sources = connection.execute(
        "select source, count(*), sum(rows_loaded)::bigint, sum(rows_quarantined)::bigint,"
        " sum(rows_duplicate)::bigint from ledger.deliveries group by 1 order by 1"
    ).fetchall()
    node = connection.execute(
        "select r.command, r.status, n.node from ledger.runs r left join lateral"
        " (select node from ledger.node_results where run_id = r.run_id"
        "  order by finished_at desc limit 1) n on true"
        " where r.command <> 'ingest' order by r.started_at desc limit 1"
    ).fetchone()
    snapshots = connection.execute(
        "select snapshot_id, state from ledger.snapshots order by created_at"
    ).fetchall()
    stage = f"{node[0]}: {node[1]}" + (f", {node[2]}" if node[2] else "") if node else "waiting"
    return Progress(sources, stage, snapshots)


def render(progress: Progress, headline: str, seconds: float) -> Group:
    """The live display: one line a source, then the run and the snapshots."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "deliveries", "loaded", "quarantined", "duplicate"):
        table.add_column(name, justify="left" if name == "source" else "right")
    for source, *counts in progress.sources:
        table.add_row(source, *(f"{value:,}" for value in counts))
    done = [snapshot for snapshot, state in progress.snapshots if state == "published"]
    return Group(
        Text(f"{headline}  ({seconds:.0f} s)", style="bold"),
        table,
        Text(f"run       {progress.stage}"),
        Text(f"published {', '.join(done[-3:]) or 'nothing yet'}"),
    )


def deliver(wave: Path, landing: Path) -> int:
    """Copy a wave as a source system would: data under another name first, markers last.

    Returns how many files were not there yet.
    """
    delivered = 0
    files = sorted(path for path in wave.rglob("*") if path.is_file())
    markers = [path for path in files if path.name.endswith((".done", ".manifest.json"))]
    data = [path for path in files if path not in set(markers)]
    for path in [*data, *markers]:
        target = landing / path.relative_to(wave)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.read_bytes() == path.read_bytes():
            continue
        temporary = target.with_name(f".{target.name}.part")
        shutil.copyfile(path, temporary)
        temporary.replace(target)
        delivered += 1
    return delivered


def deliveries_of_wave(settings: Settings, number: int) -> int:
    """How many files of the wave will be complete; one of the sample never is."""
    truth = pq.read_table(settings.path("demo", "truth", "ledger_by_wave.parquet"))
    return sum(
        row["wave"] == number and row["status"] != "not_complete"
        for row in truth.select(["wave", "status"]).to_pylist()
    )


def _everything_is_published(connection: psycopg.Connection) -> bool:
    """Whether the newest published snapshot was begun after the last delivery was loaded."""
    row = connection.execute(
        "select coalesce(max(s.created_at) > (select max(loaded_at) from ledger.deliveries), false)"
        " from ledger.snapshots s where s.state = 'published'"
    ).fetchone()
    return bool(row and row[0])


def _held(connection: psycopg.Connection) -> str | None:
    row = connection.execute(
        "select because from ledger.snapshots where state = 'held'"
        " and created_at > coalesce((select max(created_at) from ledger.snapshots"
        "  where state = 'published'), '-infinity') order by created_at desc limit 1"
    ).fetchone()
    return row[0] if row else None


def _watch(settings: Settings, console: Console, headline: str, expected: int) -> float:
    """Show progress until `expected` deliveries are in the ledger and published."""
    started = time.monotonic()
    with Live(console=console, refresh_per_second=2, transient=not console.is_terminal) as live:
        while True:
            with connect(settings, autocommit=True) as connection:
                progress = read_progress(connection)
                known = sum(count for _, count, *_ in progress.sources)
                finished = known >= expected and _everything_is_published(connection)
                held = _held(connection)
            seconds = time.monotonic() - started
            live.update(render(progress, headline, seconds))
            if finished:
                return seconds
            if held and known >= expected:
                raise ZhongtaiError(f"the gate held the candidate: {held}", hint="zhongtai status")
            if seconds > WAVE_TIMEOUT_SECONDS:
                raise ZhongtaiError(
                    f"not published after {seconds:.0f} s: {known} of {expected} deliveries known",
                    hint=f"look into {settings.path('logs')} and the Airflow pages",
                )
            time.sleep(1)


def _exports(settings: Settings, say: Callable[[str], None]) -> None:
    from zhongtai.generate.exports import generate

    out = settings.path("demo")
    if not (out / "complete").exists():
        say(f"making sample exports: {PEOPLE:,} people, {DAYS} days, {WAVES} waves")
        shutil.rmtree(out, ignore_errors=True)
        generate(out, people=PEOPLE, days=DAYS, seed=SEED, start=None, waves=WAVES)
        (out / "complete").touch()


def show_tables(settings: Settings, console: Console) -> None:
    """The published tables: name, rows, and the question each answers."""
    from zhongtai.publish.reading import published_tables

    table = Table(title="Published", title_justify="left", box=None, header_style="bold")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("answers")
    for store, name, rows, question in published_tables(settings):
        table.add_row(f"{store}.{name}", f"{rows:,}", question)
    console.print(table)


def show_next_steps(settings: Settings, console: Console, address: AirflowAddress) -> None:
    """Where to go on: the Airflow pages and three commands."""
    home = settings.home
    console.print(f"\nAirflow  {address.url}  user {address.user}  password {address.password}")
    console.print("\nGo on with")
    for command in (
        f"  .venv/bin/zhongtai status --home {home}",
        f"  .venv/bin/zhongtai quarantine list --home {home}",
        "  make down",
    ):
        console.print(command, highlight=False)


def start_demo(settings: Settings, console: Console) -> AirflowAddress:
    """Make the sample exports and start the services.

    Raises ConfigurationError for a landing zone on a server.
    """
    if not is_local(settings.landing_url):
        raise ConfigurationError(
            f"the demo delivers to a folder, not to {masked(settings.landing_url)}",
            hint="unset ZHONGTAI_LANDING",
        )
    _exports(settings, console.print)
    if settings.stable_seconds is None:
        settings = settings.model_copy(update={"stable_seconds": STABLE_SECONDS})
    address = start_services(settings, console.print)
    console.print(f"Airflow is up: {address.url}")
    return address


def run_demo(settings: Settings, console: Console, address: AirflowAddress) -> None:
    """Deliver the waves and show them through. Raises ZhongtaiError when one does not arrive."""
    landing = Path(settings.landing_url)
    expected = 0
    for number in range(1, WAVES + 1):
        delivered = deliver(settings.path("demo", "waves", str(number)), landing)
        expected += deliveries_of_wave(settings, number)
        seconds = _watch(settings, console, f"wave {number} of {WAVES}", expected)
        became = f"published {seconds:.0f} s after it was delivered"
        console.print(
            f"wave {number} of {WAVES}: {became if delivered else 'was delivered before'}"
        )
    show_tables(settings, console)
    show_next_steps(settings, console, address)
