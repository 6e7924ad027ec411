"""Runs: one row per invocation, which everything that is recorded refers to.

A run that is at work has status `running`, and its session holds an advisory lock of its name. The
lock goes with the session, whatever killed the process and on whichever host; so a run that is
`running` without its lock was interrupted.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import psycopg

from zhongtai.crash_points import reach
from zhongtai.database import ADVISORY_LOCKS
from zhongtai.errors import ConfigurationError

RunStatus = Literal["built", "checked", "published", "nothing_new", "held", "failed", "done"]
_LOCK = "zhongtai.run."


@dataclass(frozen=True)
class Run:
    """One invocation. `as_of` and `started_at` are aware UTC."""

    run_id: str
    command: str
    as_of: datetime
    started_at: datetime


def start_run(connection: psycopg.Connection, command: str, as_of: datetime | None = None) -> Run:
    """Record and return a new run; `as_of` defaults to now and must carry a time zone.

    The run is at work until `finish_run` or the end of this session. Raises ConfigurationError for
    a naive `as_of`.
    """
    started_at = datetime.now(UTC)
    if as_of is not None and as_of.tzinfo is None:
        raise ConfigurationError(
            f"as-of {as_of.isoformat()} has no time zone",
            hint="for instance 2026-03-05T00:00+08:00",
        )
    run = Run(
        run_id=f"{started_at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        command=command,
        as_of=(as_of or started_at).astimezone(UTC),
        started_at=started_at,
    )
    mark_interrupted(connection)
    with connection.transaction():
        # before anybody can see the row
        _lock(connection, run.run_id)
        connection.execute(
            "insert into ledger.runs (run_id, command, as_of, started_at) values (%s, %s, %s, %s)",
            [run.run_id, run.command, run.as_of, run.started_at],
        )
    if not connection.autocommit:
        connection.commit()
    reach("run.started")
    return run


def note_landing(connection: psycopg.Connection, run: Run, landing: str) -> None:
    """Remember which landing zone the run looks at (its URL without password)."""
    connection.execute(
        "update ledger.runs set landing = %s where run_id = %s", [landing, run.run_id]
    )


def load_run(connection: psycopg.Connection, run_id: str) -> Run:
    """A run that another process started. Raises ConfigurationError when there is none."""
    row = connection.execute(
        "select run_id, command, as_of, started_at from ledger.runs where run_id = %s", [run_id]
    ).fetchone()
    if row is None:
        raise ConfigurationError(f"there is no run {run_id}", hint="see `zhongtai status`")
    return Run(*row)


def resume_run(connection: psycopg.Connection, run: Run) -> None:
    """Go on with a run whose earlier steps another process made; this session is at work now."""
    with connection.transaction():
        _lock(connection, run.run_id)
        connection.execute(
            "update ledger.runs set status = 'running', detail = null, ended_at = null"
            " where run_id = %s",
            [run.run_id],
        )
    if not connection.autocommit:
        connection.commit()
    reach("run.resumed")


def finish_run(
    connection: psycopg.Connection, run: Run, status: RunStatus, detail: str | None = None
) -> None:
    """Record how the run, or this step of it, ended; its session is at work no more."""
    with connection.transaction():
        connection.execute(
            "update ledger.runs set status = %s, detail = %s, ended_at = clock_timestamp()"
            " where run_id = %s",
            [status, detail, run.run_id],
        )
    if not connection.autocommit:
        connection.commit()
    reach("run.finished")
    connection.execute(
        "select pg_advisory_unlock(hashtextextended(%s, 0))", [f"{_LOCK}{run.run_id}"]
    )


def mark_interrupted(connection: psycopg.Connection) -> list[str]:
    """Mark the runs whose session ended before they did; returns their ids."""
    with connection.transaction():
        found = connection.execute(
            "update ledger.runs set status = 'interrupted', ended_at = clock_timestamp(),"  # noqa: S608  # constants
            " detail = 'its process is gone' where status = 'running'"
            f" and hashtextextended('{_LOCK}' || run_id, 0) not in"
            f" (select key from {ADVISORY_LOCKS}) returning run_id"
        ).fetchall()
    if not connection.autocommit:
        connection.commit()
    reach("run.interrupted")
    return [row[0] for row in found]


def _lock(connection: psycopg.Connection, run_id: str) -> None:
    # who holds it already vouches for the run just as well
    connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [f"{_LOCK}{run_id}"])
