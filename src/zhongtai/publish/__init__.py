"""Publishing: one snapshot in DuckDB, PostgreSQL and Parquet, visible in all or in none."""

import psycopg

from zhongtai.access import PUBLISHER
from zhongtai.database import connect, name_session
from zhongtai.publish import publisher
from zhongtai.publish.candidates import Candidate, load_candidate
from zhongtai.publish.publisher import Progress, ignore_progress
from zhongtai.settings import Settings

__all__ = ["Candidate", "current_snapshot", "publish", "recover", "rollback"]


def publish(
    settings: Settings, snapshot_id: str | None = None, progress: Progress = ignore_progress
) -> str:
    """Publish the checked candidate with this snapshot id (default: the one sealed last).

    Returns the snapshot id. Raises ZhongtaiError when it has not passed its check or has changed
    since, StalePublisherError or BreakingChangeError; readers then see what they saw before.
    """
    with connect(settings.acting_as(PUBLISHER), autocommit=True) as connection:
        name_session(connection, "publish")
        candidate = load_candidate(connection, snapshot_id=snapshot_id)
        return publisher.publish_candidate(settings, connection, candidate, progress)


def recover(settings: Settings) -> list[str]:
    """Finish or undo what a killed publisher left; returns what was done, empty when nothing."""
    with (
        connect(settings.acting_as(PUBLISHER), autocommit=True) as connection,
        publisher.publishing(settings, connection),
    ):
        done = publisher.recover(settings, connection)
        publisher.collect_garbage(settings, connection)
        return done


def rollback(settings: Settings, snapshot_id: str) -> None:
    """Show an earlier snapshot in every store. Raises ZhongtaiError when it is not kept."""
    with connect(settings.acting_as(PUBLISHER), autocommit=True) as connection:
        name_session(connection, "rollback")
        publisher.rollback_to(settings, connection, snapshot_id)


def current_snapshot(connection: psycopg.Connection) -> str | None:
    """The snapshot readers see, None before the first publish."""
    from zhongtai.publish import postgres_store

    return postgres_store.current_snapshot(connection)
