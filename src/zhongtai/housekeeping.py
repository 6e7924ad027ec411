"""What nobody needs any more: logs, and what the ledger tells of old runs, go after some time.

Deliveries, checks and snapshots stay: they are what is published as history. Everything here may
be repeated and may be cut off at any moment.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from zhongtai.settings import Settings

log = logging.getLogger(__name__)

# A log that is written all the time never gets old: beyond this size its older part goes.
MOST_LOG_BYTES = 64 << 20
_KEPT_LOG_BYTES = 16 << 20
# Every column of the database that refers to a run.
_REFERRING = """
select format('select %I from %s', a.attname, c.conrelid::regclass)
from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and c.confrelid = 'ledger.runs'::regclass
"""


@dataclass(frozen=True)
class Tidied:
    """How many of each went."""

    logs: int
    node_results: int
    runs: int


def tidy(settings: Settings, connection: psycopg.Connection, now: datetime | None = None) -> Tidied:
    """Remove what is older than `settings.keep_history_days`; `now` is aware, by default the clock.

    `connection` must autocommit.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=settings.keep_history_days)
    nodes = connection.execute(
        "delete from ledger.node_results n using ledger.runs r"
        " where n.run_id = r.run_id and r.started_at < %s and r.status <> 'running'",
        [before],
    ).rowcount
    referring = " union all ".join(row[0] for row in connection.execute(_REFERRING))
    delete = (
        "delete from ledger.runs where started_at < %s and status <> 'running' and run_id"  # noqa: S608  # our own
        f" not in (select * from ({referring}) as r (run_id) where run_id is not null)"
    )
    runs = connection.execute(delete.encode(), [before]).rowcount
    return Tidied(_tidy_logs(settings.path("logs"), before), nodes, runs)


def _tidy_logs(folder: Path, before: datetime) -> int:
    """Delete old log files and shorten long ones; returns how many went."""
    gone = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        try:
            gone += _tidy_log(path, before)
        except OSError as error:
            # a log that cannot be tidied is no reason to fail what was done
            log.warning("%s stays as it is: %s", path, error.strerror)
    return gone


def _tidy_log(path: Path, before: datetime) -> int:
    """Delete an old file or an empty folder, or shorten a long log; returns how many files went."""
    if path.is_symlink():
        return 0
    seen = path.stat()
    is_old = seen.st_mtime < before.timestamp()
    if path.is_dir():
        # a new one may be about to be written to
        if is_old and not any(path.iterdir()):
            path.rmdir()
        return 0
    if is_old:
        path.unlink()
    elif seen.st_size > MOST_LOG_BYTES:
        _shorten(path)
    return int(is_old)


def _shorten(file: Path) -> None:
    """Keep the end of a log whose writer has it open to append."""
    with file.open("rb+") as opened:
        opened.seek(-_KEPT_LOG_BYTES, 2)
        end = opened.read()
        # whole lines only; what is written meanwhile is lost, as in any rotation by copying
        opened.seek(0)
        opened.truncate()
        opened.write(end[end.find(b"\n") + 1 :])
