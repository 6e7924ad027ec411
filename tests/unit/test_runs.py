"""A run is running while its session lives; one whose process is gone says so."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from zhongtai.cli.inspection import _say_status
from zhongtai.database import connect
from zhongtai.runs import finish_run, mark_interrupted, resume_run, start_run
from zhongtai.settings import Settings
from zhongtai.status import read_status

# what a run is to the ledger: a process with a connection, at work for as long as it lives
AT_WORK = """
import sys, time
from zhongtai.database import connect
from zhongtai.runs import start_run
from zhongtai.settings import load_settings
with connect(load_settings(database_url=sys.argv[1]), autocommit=True) as connection:
    print(start_run(connection, "ingest").run_id, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@contextmanager
def process_at_work(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Another process in the middle of a run, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, settings.database_url.get_secret_value()],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert run_id, "the process did not start its run"
        yield run_id, process
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=10)


def wait_for_end_of_sessions(connection: psycopg.Connection) -> None:
    """PostgreSQL notices a closed socket in its own time."""
    for _ in range(100):
        others = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid()"
        ).fetchone()
        if others == (0,):
            return
        connection.execute("select pg_sleep(0.1)")
    pytest.fail("the session of the killed process is still there")


def state_of(connection: psycopg.Connection, run_id: str) -> tuple[str, bool]:
    """Its status, and whether it has an end."""
    row = connection.execute(
        "select status, ended_at is not null from ledger.runs where run_id = %s", [run_id]
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_the_next_run_marks_a_killed_one_as_interrupted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with process_at_work(settings) as (run_id, process):
        kill(process)
        wait_for_end_of_sessions(connection)
        assert state_of(connection, run_id) == ("running", False)
        start_run(connection, "build")
        assert state_of(connection, run_id) == ("interrupted", True)


def test_a_run_that_is_at_work_is_left_alone(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with process_at_work(settings) as (run_id, _):
        own = start_run(connection, "build")
        assert mark_interrupted(connection) == []
        assert state_of(connection, run_id) == ("running", False)
        assert state_of(connection, own.run_id) == ("running", False)


def test_status_tells_which_run_was_interrupted_until_a_later_one_ends_well(
    settings: Settings, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with process_at_work(settings) as (run_id, process):
        assert read_status(settings).interrupted == []
        kill(process)
        wait_for_end_of_sessions(connection)
        found = read_status(settings)
        assert found.last_run is not None
        assert (found.last_run["run_id"], found.last_run["status"]) == (run_id, "interrupted")
        assert [run["run_id"] for run in found.interrupted] == [run_id]
        _say_status(found)
        assert f"killed     {run_id} (ingest)" in capsys.readouterr().out
        later = start_run(connection, "ingest")
        assert [run["run_id"] for run in read_status(settings).interrupted] == [run_id]
        finish_run(connection, later, "done")
        assert read_status(settings).interrupted == []


def test_a_run_between_two_steps_waits_and_is_not_interrupted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connect(settings, autocommit=True) as first:
        run = start_run(first, "build")
        finish_run(first, run, "built")
    assert mark_interrupted(connection) == []
    assert state_of(connection, run.run_id) == ("built", True)


def test_a_step_in_another_process_holds_the_run_again(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connect(settings, autocommit=True) as first:
        run = start_run(first, "build")
        finish_run(first, run, "built")
    with connect(settings, autocommit=True) as second:
        resume_run(second, run)
        assert state_of(connection, run.run_id) == ("running", False)
        assert mark_interrupted(connection) == []
    wait_for_end_of_sessions(connection)
    assert mark_interrupted(connection) == [run.run_id]


def test_equal_locks_of_another_database_do_not_count(
    settings: Settings, connection: psycopg.Connection, postgres_server: str
) -> None:
    with connect(settings, autocommit=True) as first:
        run = start_run(first, "build")
    wait_for_end_of_sessions(connection)
    with psycopg.connect(postgres_server, autocommit=True) as elsewhere:
        elsewhere.execute(
            "select pg_advisory_lock(hashtextextended(%s, 0))", [f"zhongtai.run.{run.run_id}"]
        )
        assert mark_interrupted(connection) == [run.run_id]
