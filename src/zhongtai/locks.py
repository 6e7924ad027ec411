"""Rights that one process has at a time: who has one, since when, and what to do about it.

A right is two locks. The one in PostgreSQL reaches every host and goes with the session; the one on
a file of the home goes with the process. Either alone is not enough: a process that was paused for
long may have lost its session, and must not go on beside whoever came after it.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import psycopg
from psycopg import errors

from zhongtai.database import ADVISORY_LOCKS, describe_process
from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings

# lets the session of a killed process end
WAIT_SECONDS = 10.0
# others take files in for minutes, and give way to each other
PATIENT_SECONDS = 600.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class _Right:
    """What is asked for, and until when (monotonic seconds) it is worth waiting."""

    name: str
    what: str
    deadline: float
    is_shared: bool

    @property
    def kind(self) -> str:
        """What the names of PostgreSQL's functions end with."""
        return "_shared" if self.is_shared else ""


class BusyError(ZhongtaiError):
    """Another process has the right that this one needs."""


class LostRightError(ZhongtaiError):
    """The session that held a right ended while this process was at work."""


@contextmanager
def exclusive_lock(
    settings: Settings,
    connection: psycopg.Connection,
    name: str,
    what: str,
    wait_seconds: float | None = None,
) -> Iterator[None]:
    """Be the only process that is `what`; waits `wait_seconds`, WAIT_SECONDS by default.

    Raises BusyError that names the holder, and LostRightError where the session ends meanwhile.
    """
    with _hold(settings, connection, _Right(name, what, _deadline(wait_seconds), False)):
        yield


@contextmanager
def shared_lock(
    settings: Settings,
    connection: psycopg.Connection,
    name: str,
    what: str,
    wait_seconds: float | None = None,
) -> Iterator[None]:
    """As `exclusive_lock`, beside others that share it."""
    with _hold(settings, connection, _Right(name, what, _deadline(wait_seconds), True)):
        yield


def lock_holder(connection: psycopg.Connection, name: str) -> str | None:
    """Which session holds a lock, for people; None when nobody does."""
    row = connection.execute(
        "select s.pid, s.name, s.began_at"  # noqa: S608  # a constant
        f" from {ADVISORY_LOCKS} join ledger.sessions() s using (pid)"
        " where key = hashtextextended(%s, 0) limit 1",
        [name],
    ).fetchone()
    return _describe(*row) if row else None


def table_holder(connection: psycopg.Connection, table: str) -> str:
    """Which other session keeps a table for itself, for people."""
    row = connection.execute(
        "select s.pid, s.name, s.began_at from pg_locks join ledger.sessions() s using (pid)"
        " where relation = to_regclass(%s) and granted"
        " and mode = 'ShareRowExclusiveLock' and pid <> pg_backend_pid() limit 1",
        [table],
    ).fetchone()
    return _describe(*row) if row else "it just ended"


def _describe(pid: int, application: str | None, since: datetime | None) -> str:
    started = f", since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    return f"{application or 'a session'}{started} (database session {pid})"


@contextmanager
def _hold(settings: Settings, connection: psycopg.Connection, right: _Right) -> Iterator[None]:
    _lock_session(connection, right)
    try:
        with _open(settings, right.name) as file:
            _lock_file(file, right)
            yield
    except Exception as error:
        if not isinstance(error, BusyError | LostRightError) and _is_gone(connection):
            raise LostRightError(
                "the database session of this process ended while it was at work, so another may"
                " have gone on since",
                hint="nothing is lost: run it again, the next run finishes or undoes what is left",
            ) from error
        raise
    finally:
        # a session that is gone has given the lock up
        if not connection.closed and not connection.broken:
            connection.execute(
                f"select pg_advisory_unlock{right.kind}(hashtextextended(%s, 0))", [right.name]
            )


def _deadline(wait_seconds: float | None) -> float:
    return time.monotonic() + (WAIT_SECONDS if wait_seconds is None else wait_seconds)


def _lock_session(connection: psycopg.Connection, right: _Right) -> None:
    wait = max(1, round((right.deadline - time.monotonic()) * 1000))
    try:
        with connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", [f"{wait}ms"])
            connection.execute(
                f"select pg_advisory_lock{right.kind}(hashtextextended(%s, 0))", [right.name]
            )
    except errors.LockNotAvailable as error:
        holder = lock_holder(connection, right.name) or "it just ended"
        raise BusyError(
            f"another process is {right.what}: {holder}",
            hint="wait until it has finished, then run again; `zhongtai status` shows what it does."
            " One that hangs may be killed: the next run finishes or undoes what it left",
        ) from error


@contextmanager
def _open(settings: Settings, name: str) -> Iterator[TextIO]:
    path = settings.path("locks", f"{name}.lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        yield file


def _lock_file(file: TextIO, right: _Right) -> None:
    """Lock the file and write down who has it."""
    mode = fcntl.LOCK_SH if right.is_shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if time.monotonic() >= right.deadline:
                file.seek(0)
                raise BusyError(
                    f"another process is {right.what} and has lost its database session:"
                    f" {file.read().strip() or 'it does not say which'}",
                    hint="it is paused, or about to notice; end it (`kill -9` and its number), then"
                    " run again: the next run finishes or undoes what it left",
                ) from error
        time.sleep(_POLL_SECONDS)
    file.truncate(0)
    file.write(f"{describe_process()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
    file.flush()


def _is_gone(connection: psycopg.Connection) -> bool:
    """Whether the session has ended, which shows only when it is used."""
    try:
        connection.execute("select 1")
    except errors.InFailedSqlTransaction:
        return False
    except psycopg.OperationalError:
        return connection.closed or connection.broken
    return False
