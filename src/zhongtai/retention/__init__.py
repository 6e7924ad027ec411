"""How long rows are kept: what is past its period leaves, counted, before anything is built."""

from collections.abc import Callable
from datetime import UTC, datetime

from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import connect
from zhongtai.locks import exclusive_lock
from zhongtai.publish.publisher import WRITER_LOCK
from zhongtai.retention.expiry import Expired, count_expired, expire
from zhongtai.runs import Run, finish_run, start_run
from zhongtai.settings import Settings

__all__ = ["Expired", "count_expired", "enforce", "let_go", "remove_due"]

Progress = Callable[[str], None]


def remove_due(settings: Settings, contracts: Contracts, run: Run, progress: Progress) -> Expired:
    """Complete erasures that are open, and let go what is past its retention.

    The caller holds the right to build. Periods count back from the as-of of the run, but never
    from a moment that is still to come: what is gone is gone.
    """
    _complete_open(settings, contracts, run, progress)
    return expire(settings, contracts, run, min(run.as_of, datetime.now(UTC)), progress)


def let_go(settings: Settings, contracts: Contracts, run: Run, progress: Progress) -> None:
    """What every build does first: open erasures, and what is due where the setting says so."""
    if settings.enforce_retention:
        remove_due(settings, contracts, run, progress)
    else:
        _complete_open(settings, contracts, run, progress)


def _complete_open(settings: Settings, contracts: Contracts, run: Run, progress: Progress) -> None:
    from zhongtai.erasure.sweep import complete_erasures

    with connect(settings.acting_as(""), autocommit=True) as connection:
        complete_erasures(settings, contracts, connection, run.run_id, progress)


def enforce(settings: Settings, as_of: datetime | None, progress: Progress) -> Expired:
    """The same as a command of its own. Raises ZhongtaiError where another process is building."""
    contracts = load_contracts(settings.project_dir)
    with (
        connect(settings.acting_as(""), autocommit=True) as connection,
        exclusive_lock(settings, connection, WRITER_LOCK, "building or publishing in this home"),
    ):
        run = start_run(connection, "retention", as_of)
        try:
            expired = remove_due(settings, contracts, run, progress)
        except BaseException as error:
            if not connection.closed and not connection.broken:
                finish_run(connection, run, "failed", type(error).__name__)
            raise
        finish_run(connection, run, "done")
    return expired
