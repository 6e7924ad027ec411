"""One snapshot id in every store, or in none.

Order: stage DuckDB (verified), PostgreSQL and Parquet from it; commit the identity map; flip
PostgreSQL; flip the files. The pointer row is the point of no return: recovery finishes whatever
it points at and drops every other unfinished snapshot, so a kill at any instruction converges.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from zhongtai.access import PUBLISHER, acting_as
from zhongtai.crash_points import reach
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.housekeeping import tidy
from zhongtai.locks import exclusive_lock
from zhongtai.publish import (
    duckdb_store,
    folders,
    parquet_store,
    postgres_store,
    postgres_views,
    snapshots,
)
from zhongtai.publish.candidates import Candidate, load_candidate, require_passed
from zhongtai.publish.content import PublishedTable
from zhongtai.publish.postgres_store import StalePublisherError, current_snapshot
from zhongtai.settings import Settings

Progress = Callable[[str], None]
LOCK = "zhongtai.publish"
WRITER_LOCK = "zhongtai.writer"


def ignore_progress(_: str) -> None:
    """The progress callback of callers that show none."""


@contextmanager
def publishing(settings: Settings, connection: psycopg.Connection) -> Iterator[None]:
    """Hold the right to publish, and act as who may; `connection` autocommits."""
    with (
        exclusive_lock(settings, connection, LOCK, "publishing"),
        acting_as(connection, PUBLISHER),
    ):
        yield


def commit_identity(settings: Settings, snapshot_id: str) -> None:
    """Make the candidate's identity map the one that later runs start from."""
    from zhongtai import identity

    identity.commit(settings, snapshot_id)


def refuse_unpublishable(
    connection: psycopg.Connection, tables: tuple[PublishedTable, ...]
) -> None:
    """Raise BreakingChangeError where the candidate would break what readers rely on."""
    postgres_views.refuse_breaking_changes(connection, tables)


def publish_candidate(
    settings: Settings,
    connection: psycopg.Connection,
    candidate: Candidate,
    progress: Progress = ignore_progress,
) -> str:
    """Publish a checked candidate to all stores; returns the snapshot id.

    `connection` must autocommit. A candidate that is published already is left as it is. Raises
    ZhongtaiError when the candidate changed since its check, breaks what readers rely on, or a
    store does not hold what was sent; readers then see the previous snapshot.
    """
    with publishing(settings, connection):
        recover(settings, connection)
        previous = current_snapshot(connection)
        row = snapshots.find(connection, candidate.snapshot_id)
        if row is not None and row.state in ("published", "superseded"):
            # whoever published it may have died before it cleaned up
            collect_garbage(settings, connection)
            return candidate.snapshot_id
        # whatever was said while this process waited counts
        candidate = load_candidate(connection, snapshot_id=candidate.snapshot_id)
        require_passed(connection, candidate)
        try:
            tables = _stage(settings, connection, candidate, progress)
            _flip_postgres(connection, candidate, tables, previous)
        except BaseException:
            # the connection may be what failed: then the next run recovers
            if not connection.closed and not connection.broken:
                recover(settings, connection)
            raise
        _finish(settings, connection, candidate.snapshot_id)
        collect_garbage(settings, connection)
        tidy(settings, connection)
    return candidate.snapshot_id


def _stage(
    settings: Settings,
    connection: psycopg.Connection,
    candidate: Candidate,
    progress: Progress,
) -> tuple[PublishedTable, ...]:
    snapshots.record(connection, candidate, "staging", candidate.because)
    tables = duckdb_store.stage(settings, candidate)
    postgres_views.refuse_breaking_changes(connection, tables)
    with duckdb_store.open_staged(settings, candidate.snapshot_id) as engine:
        duckdb_store.verify(engine, tables, candidate.tables)
        progress(f"{len(tables)} tables written and verified")
        postgres_store.stage(connection, engine, tables, candidate)
        parquet_store.stage(settings, engine, tables, candidate)
        progress("PostgreSQL and Parquet hold them too")
    snapshots.set_state(connection, candidate.snapshot_id, "staged")
    commit_identity(settings, candidate.snapshot_id)
    return tables


def _flip_postgres(
    connection: psycopg.Connection,
    candidate: Candidate,
    tables: tuple[PublishedTable, ...],
    previous: str | None,
) -> None:
    def flip() -> None:
        # nobody may check, hold or build it anew before the pointer has moved
        connection.execute(
            "select 1 from publication.candidates where snapshot_id = %s for share",
            [candidate.snapshot_id],
        )
        judged = load_candidate(connection, snapshot_id=candidate.snapshot_id)
        require_passed(connection, judged)
        if judged.tables != candidate.tables:
            raise ZhongtaiError(
                f"candidate {candidate.snapshot_id} was checked anew while it was published",
                hint="nothing was published; run `zhongtai publish` again",
            )
        postgres_views.update_views(connection, tables)
        reach("publish.views_updated")
        snapshots.set_state(connection, candidate.snapshot_id, "flipped_postgres")
        postgres_store.move_pointer(
            connection, candidate.snapshot_id, previous, candidate.because or "publish"
        )

    postgres_store.retry_locked(connection, flip, "changing the views")
    reach("publish.flipped")


def _finish(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> None:
    """Everything after the point of no return; may be repeated.

    Raises StalePublisherError where readers are shown another snapshot by now.
    """

    def look() -> None:
        if (shown := current_snapshot(connection)) != snapshot_id:
            raise StalePublisherError(
                f"readers see {shown}, so their files are not pointed at {snapshot_id}",
                hint="another publish or rollback came first; run `zhongtai run` again",
            )

    duckdb_store.flip(settings, snapshot_id, look)
    reach("publish.duckdb_flipped")
    parquet_store.flip(settings, snapshot_id, look)
    reach("publish.parquet_flipped")
    snapshots.set_current(connection, snapshot_id)


def recover(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Bring every store to what the pointer row says; returns what had to be done.

    The caller holds the publish lock; `connection` must autocommit.
    """
    done: list[str] = []
    current = current_snapshot(connection)
    for row in snapshots.list_rows(connection):
        if row.state in snapshots.UNFINISHED and row.snapshot_id != current:
            _drop_everywhere(settings, connection, row.snapshot_id)
            snapshots.set_state(connection, row.snapshot_id, "abandoned")
            reach("clean_up.abandoned")
            done.append(f"dropped the unfinished snapshot {row.snapshot_id}")
    if current is not None:
        done += _finish_current(settings, connection, current)
    return done


def _finish_current(settings: Settings, connection: psycopg.Connection, current: str) -> list[str]:
    row = snapshots.find(connection, current)
    is_finished = row is not None and row.state == "published"
    if is_finished and not is_complete(settings, connection, current):
        # somebody deleted files: `pipeline` takes that for a reason to build them anew
        return [f"files of {current} are missing"]
    _finish(settings, connection, current)
    return [] if is_finished else [f"finished publishing {current}"]


def _drop_everywhere(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> None:
    duckdb_store.drop(settings, snapshot_id)
    parquet_store.drop(settings, snapshot_id)
    postgres_store.drop(connection, snapshot_id)
    for kept in (("identity",), ("published", "bitmaps")):
        shutil.rmtree(settings.path(*kept, snapshot_id), ignore_errors=True)
    reach("clean_up.snapshot_dropped")


def rollback_to(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> None:
    """Show an earlier snapshot in every store; nothing is copied.

    Raises ConfigurationError that lists what can be shown when the snapshot is not kept any more.
    """
    with publishing(settings, connection):
        recover(settings, connection)
        kept = list_complete(settings, connection)
        if snapshot_id not in kept:
            raise ConfigurationError(
                f"snapshot {snapshot_id} is not kept in every store",
                hint="choose one of: " + (", ".join(sorted(kept)) or "(nothing is published)"),
            )
        previous = current_snapshot(connection)
        if snapshot_id == previous:
            return
        postgres_store.move_pointer(connection, snapshot_id, previous, f"rollback from {previous}")
        reach("rollback.pointer_moved")
        _finish(settings, connection, snapshot_id)


def list_complete(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """The snapshots that every store holds, newest first: what a rollback can show."""
    return [
        row.snapshot_id
        for row in snapshots.list_rows(connection)
        if row.state in ("published", "superseded")
        and is_complete(settings, connection, row.snapshot_id)
    ]


def is_complete(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> bool:
    """Whether every store holds the snapshot, so that readers can be shown it."""
    return (
        duckdb_store.holds(settings, snapshot_id)
        and parquet_store.holds(settings, snapshot_id)
        and postgres_store.holds(connection, snapshot_id)
    )


def collect_garbage(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Drop the snapshots past `settings.keep_snapshots` everywhere; never the current one.

    What killed publishers left unfinished goes as well; what a long transaction still reads stays
    for now. Returns the ids of those dropped. The caller holds the publish lock; `connection` must
    autocommit.
    """
    from zhongtai.tags.bitmaps import remove_abandoned

    remove_abandoned(settings)
    for partial in settings.path("identity").glob(".*.partial"):
        folders.remove(partial)
    kept = set(snapshots.kept_snapshots(connection, settings.keep_snapshots))
    current = current_snapshot(connection)
    known = (
        duckdb_store.list_snapshots(settings)
        | parquet_store.list_snapshots(settings)
        | postgres_store.list_snapshots(connection)
        | _list_identity_maps(settings)
    )
    dropped = sorted(known - kept - {current} - snapshots.list_watched(connection))
    for snapshot_id in dropped:
        _drop_everywhere(settings, connection, snapshot_id)
    return dropped


def _list_identity_maps(settings: Settings) -> set[str]:
    folder = settings.path("identity")
    if not folder.is_dir():
        return set()
    return {f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")}
