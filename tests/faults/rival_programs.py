"""What rivals do: runs over a world in small, publishes, reads, decisions."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from zhongtai import identity, locks, pipeline, publish, quality, restatements, transform, warehouse
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.identity import decisions
from zhongtai.identity.references import parse_reference
from zhongtai.publish import duckdb_store, publisher
from zhongtai.quality.results import result
from zhongtai.settings import Settings
from zhongtai.tags import bitmaps
from zhongtai.transform import TransformReport

from publish_cases import AS_OF, CHECK, build_candidate, write_build

# long enough to see that somebody waits, short enough for a test
locks.WAIT_SECONDS = 1.0
CHANCE = random.Random()  # noqa: S311  # no secret


def arrive(folder: Path, mark: str) -> None:
    """Say how far this process has come."""
    (folder / mark).touch()


def wait_at(folder: Path, mark: str) -> None:
    """Say so and wait until the test lets this process go on."""
    arrive(folder, mark)
    while not (folder / f"{mark}.go").exists():
        time.sleep(0.02)


def stop_at(folder: Path, mark: str) -> None:
    """Say so and stop, as a paused machine does: no clean-up, no closing of sessions."""
    arrive(folder, mark)
    os.kill(os.getpid(), signal.SIGSTOP)


def before(module: Any, name: str, pause: Callable[[], None]) -> None:
    """Make a function of the product pause before it starts."""
    real = getattr(module, name)

    def paused(*arguments: Any, **options: Any) -> Any:
        pause()
        return real(*arguments, **options)

    setattr(module, name, paused)


def pretend(rows: int) -> None:
    """Models, persons and checks in small; locks, ledger, candidates and stores are real."""

    def run_dbt(settings: Settings, _: object, selector: str) -> TransformReport:
        if selector == "metrics":
            write_build(settings, rows)
            with duckdb.connect(settings.warehouse_file) as build:
                build.execute("create schema if not exists identity")
                build.execute(
                    "create or replace table identity.version as select 'v7' as identity_version"
                )
        return TransformReport(selector, 0.0, ())

    replaced: list[tuple[Any, str, Callable[..., Any]]] = [
        (transform, "run_dbt", run_dbt),
        (identity, "resolve", lambda *_: "0 records"),
        (warehouse, "prepare", lambda *_: None),
        (restatements, "record", lambda *_: 0),
        (quality, "check_candidate", lambda *_: [result(CHECK, "passed", "")]),
        (quality, "required_checks", lambda _: [CHECK]),
        (bitmaps, "ready_bitmaps", lambda *_: None),
        (publisher, "commit_identity", lambda *_: None),
    ]
    for module, name, function in replaced:
        setattr(module, name, function)


def ingest(settings: Settings, _: Path) -> int:
    """Drain the landing zone."""
    return pipeline.ingest(settings).deliveries


def run(settings: Settings, folder: Path, rows: int = 3, pause: bool = False) -> str:
    """`zhongtai run`; with `pause` it waits in the middle of the build."""
    pretend(rows)
    if pause:
        before(warehouse, "prepare", lambda: wait_at(folder, "building"))
    return pipeline.run_once(settings, AS_OF).status


def run_tasks(settings: Settings, folder: Path, rows: int = 3) -> str:
    """What the tasks of the DAG do, one after the other, each in a session of its own."""
    pretend(rows)
    run_id = pipeline.build(settings, AS_OF)
    if run_id is None:
        return "nothing_new"
    wait_at(folder, "built")
    assert pipeline.check(settings, run_id).passed
    return pipeline.publish(settings, run_id)


def publish_run(settings: Settings, _: Path, run_id: str) -> str:
    """`zhongtai publish`, patient enough for the other to finish."""
    pretend(0)
    locks.WAIT_SECONDS = 60.0
    return pipeline.publish(settings, run_id)


def publish_candidate(
    settings: Settings, folder: Path, snapshot_id: str, stop: str = "", wait: str = ""
) -> str:
    """Publish a candidate; stops, or waits, before a function of the publisher."""
    publisher.commit_identity = lambda *_: None
    places: dict[str, tuple[Any, str]] = {
        "verify": (duckdb_store, "verify"),
        "flip": (publisher, "_flip_postgres"),
        "finish": (publisher, "_finish"),
        # the PostgreSQL pointer has moved, the DuckDB files have not
        "files": (duckdb_store, "flip"),
    }
    if stop:
        before(*places[stop], lambda: stop_at(folder, stop))
    if wait:
        before(*places[wait], lambda: wait_at(folder, wait))
    return publish.publish(settings, snapshot_id)


def roll_back(settings: Settings, _: Path, snapshot_id: str) -> None:
    """`zhongtai rollback`."""
    publish.rollback(settings, snapshot_id)


def release(settings: Settings, _: Path) -> str:
    """`zhongtai release`."""
    pretend(0)
    return pipeline.release(settings, "the numbers are right")


def erase(settings: Settings, _: Path) -> None:
    """`zhongtai erase`."""
    from zhongtai.erasure.erasures import Asked

    pipeline.erase(settings, Asked("mobile", "+8613812345678"), author="mei", because="asked")


def merge(settings: Settings, folder: Path, left: str, right: str, pause: bool = False) -> str:
    """`zhongtai identity merge`; with `pause` it stops before it is recorded."""
    if pause:
        before(decisions, "_refuse_contradiction", lambda: stop_at(folder, "deciding"))
    references = parse_reference(left), parse_reference(right)
    return str(decisions.decide(settings, "merge", *references, author="mei", because="ticket"))


def publish_on_and_on(settings: Settings, folder: Path, first: int, last: int) -> None:
    """Publish candidates of `first` to `last` rows, and try what was held in between.

    Tells how long each flip took, a line each, so that a kill loses none.
    """
    publisher.commit_identity = lambda *_: None
    measure(folder, publisher, "_flip_postgres")
    measure(folder, duckdb_store, "flip")
    with connect(settings, autocommit=True) as connection:
        for rows in range(first, last + 1):
            candidate = build_candidate(settings, connection, rows)
            if rows % 5 == 0:
                hold_it(connection, candidate.snapshot_id)
                with suppress(ZhongtaiError):
                    publish.publish(settings, candidate.snapshot_id)
                candidate = build_candidate(settings, connection, rows)
            publish.publish(settings, candidate.snapshot_id)
            arrive(folder, f"published-{rows}")


def hold_it(connection: psycopg.Connection, snapshot_id: str) -> None:
    """The gate changes its mind."""
    connection.execute(
        "update publication.candidates set verdict = 'held' where snapshot_id = %s", [snapshot_id]
    )
    connection.execute(
        "insert into ledger.gate_verdicts (snapshot_id, run_id, verdict, can_be_released, because)"
        " select snapshot_id, run_id, 'held', true, 'wait' from publication.candidates"
        " where snapshot_id = %s",
        [snapshot_id],
    )


def measure(folder: Path, module: Any, name: str) -> None:
    """Write down how long each call of a function took."""
    real = getattr(module, name)

    def measured(*arguments: Any) -> Any:
        started = time.perf_counter()
        returned = real(*arguments)
        with (folder / "flips.txt").open("a") as file:
            file.write(f"{name} {time.perf_counter() - started}\n")
        return returned

    setattr(module, name, measured)


def read_on_and_on(settings: Settings, folder: Path, store: str, pause: float) -> dict[str, Any]:
    """Read until told to end: what was seen, and what was wrong with it."""
    seen: set[str] = set()
    wrong: list[str] = []
    reads, slowest = 0, 0.0
    look = {"postgres": look_in_postgres, "duckdb": look_in_files}[store]
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        while not (folder / "end").exists():
            started = time.perf_counter()
            try:
                found = look(settings, connection)
            except Exception as error:
                wrong.append(repr(error))
                continue
            finally:
                slowest = max(slowest, time.perf_counter() - started)
            reads += 1
            seen.add(found[0][0])
            if len(set(found)) > 1:
                wrong.append(f"mixed: {found}")
            arrive(folder, "reading")
            time.sleep(CHANCE.uniform(0, 2 * pause))
    return {"reads": reads, "seen": sorted(seen), "wrong": wrong, "slowest": slowest}


_COUNTED = "select max(snapshot_id), min(snapshot_id), count(*) from "
_FUNNEL, _USERS = "metrics_lead_funnel_daily", "dim_users"
Found = list[tuple[Any, ...]]


def look_in_postgres(_: Settings, connection: psycopg.Connection) -> Found:
    """Two tables in one query, or each in its query of one transaction, with a pause between."""
    if CHANCE.random() < 0.5:
        row = connection.execute(
            f"select a.*, b.* from ({_COUNTED} metrics.{_FUNNEL}) as a,"
            f" ({_COUNTED} profiles.{_USERS}) as b"
        ).fetchone()
        assert row is not None
        return _halves(row)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        first = connection.execute(f"{_COUNTED} metrics.{_FUNNEL}").fetchone()
        time.sleep(CHANCE.choice((0, 0, 0.1, 3)))
        second = connection.execute(f"{_COUNTED} profiles.{_USERS}").fetchone()
    assert first is not None
    assert second is not None
    return _halves((*first, *second))


def look_in_files(settings: Settings, _: psycopg.Connection) -> Found:
    """The file that is current, and that of persons of the same snapshot; or Parquet."""
    published = settings.path("published")
    if CHANCE.random() < 0.25:
        current = (published / "parquet" / "current").resolve()
        tables = (
            f"'{current}/metrics/{_FUNNEL}.parquet'",
            f"'{current}/profiles/{_USERS}.parquet'",
        )
        with duckdb.connect(config={"threads": 1}) as reader:
            return _check([reader.execute(f"{_COUNTED} {table}").fetchone() for table in tables])
    with duckdb.connect(
        str(published / "metrics" / "current.duckdb"), read_only=True, config={"threads": 1}
    ) as reader:
        first = reader.execute(f"{_COUNTED} {_FUNNEL}").fetchone()
        assert first is not None
        reader.execute(f"attach '{published}/profiles/{first[0]}.duckdb' as persons (read_only)")
        time.sleep(CHANCE.choice((0, 0, 0.1, 1)))
        row = reader.execute(
            f"select a.*, b.* from ({_COUNTED} {_FUNNEL}) as a,"
            f" ({_COUNTED} persons.main.{_USERS}) as b"
        ).fetchone()
        assert row is not None
        return [*_check([first]), *_halves(row)]


def _halves(row: tuple[Any, ...]) -> Found:
    return _check([row[:3], row[3:]])


def _check(found: list[tuple[Any, ...] | None]) -> Found:
    """(snapshot, rows) of each table; a table of two snapshots shows as what it is."""
    shown = []
    for row in found:
        assert row is not None
        latest, earliest, rows = row
        shown.append((latest if latest == earliest else f"{earliest} and {latest}", rows))
    return shown
