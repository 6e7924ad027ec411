"""Runs: one row per invocation, which everything that is recorded refers to."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import psycopg

from zhongtai.errors import ConfigurationError

RunStatus = Literal["published", "nothing_new", "held", "failed", "done"]


@dataclass(frozen=True)
class Run:
    """One invocation. `as_of` and `started_at` are aware UTC."""

    run_id: str
    command: str
    as_of: datetime
    started_at: datetime


def start_run(connection: psycopg.Connection, command: str, as_of: datetime | None = None) -> Run:
    """Record and return a new run; `as_of` defaults to now and must carry a time zone.

    Raises ConfigurationError for a naive `as_of`.
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
    with connection.transaction():
        connection.execute(
            "insert into ledger.runs (run_id, command, as_of, started_at) values (%s, %s, %s, %s)",
            [run.run_id, run.command, run.as_of, run.started_at],
        )
    if not connection.autocommit:
        connection.commit()
    return run


def finish_run(
    connection: psycopg.Connection, run: Run, status: RunStatus, detail: str | None = None
) -> None:
    """Record how the run ended. A run that was killed keeps the status `running`."""
    with connection.transaction():
        connection.execute(
            "update ledger.runs set status = %s, detail = %s, ended_at = clock_timestamp()"
            " where run_id = %s",
            [status, detail, run.run_id],
        )
    if not connection.autocommit:
        connection.commit()
