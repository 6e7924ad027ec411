"""The states of snapshots in the ledger: staging, staged, flipped_postgres, published.

Exactly one row is `published`: the one readers see. Those before it are `superseded`.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from zhongtai.crash_points import reach
from zhongtai.publish.candidates import Candidate

UNFINISHED = ("staging", "staged", "flipped_postgres")
_SHOWN = ("published", "superseded", "flipped_postgres")


@dataclass(frozen=True)
class Snapshot:
    """A row of ledger.snapshots; instants are aware, created_at is when its input was listed."""

    snapshot_id: str
    run_id: str
    state: str
    as_of: datetime
    input_fingerprint: str
    content_hash: str | None
    because: str | None
    created_at: datetime
    published_at: datetime | None


_COLUMNS = (
    "snapshot_id, run_id, state, as_of, input_fingerprint, content_hash, because, created_at,"
    " published_at"
)


def list_rows(connection: psycopg.Connection) -> list[Snapshot]:
    """Every snapshot the ledger knows, newest first."""
    query = f"select {_COLUMNS} from ledger.snapshots order by created_at desc"  # noqa: S608
    return [Snapshot(*row) for row in connection.execute(query)]


def find(connection: psycopg.Connection, snapshot_id: str) -> Snapshot | None:
    """One row, or None."""
    query = f"select {_COLUMNS} from ledger.snapshots where snapshot_id = %s"  # noqa: S608
    row = connection.execute(query, [snapshot_id]).fetchone()
    return Snapshot(*row) if row else None


def is_shown(connection: psycopg.Connection, snapshot_id: str) -> bool:
    """Whether readers see the snapshot, or did."""
    found = find(connection, snapshot_id)
    return found is not None and found.state in _SHOWN


def record(
    connection: psycopg.Connection, candidate: Candidate, state: str, because: str | None = None
) -> None:
    """Write the candidate's row with a state; an earlier row of it is brought up to date."""
    connection.execute(
        "insert into ledger.snapshots (snapshot_id, run_id, state, as_of, input_fingerprint,"
        " content_hash, identity_version, because, created_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (snapshot_id) do update set state = excluded.state,"
        " content_hash = excluded.content_hash,"
        " because = coalesce(excluded.because, ledger.snapshots.because)",
        [
            candidate.snapshot_id,
            candidate.run_id,
            state,
            candidate.as_of,
            candidate.input_fingerprint,
            candidate.content_hash,
            candidate.identity_version,
            because,
            candidate.inputs_at,
        ],
    )
    reach("publish.state_recorded")


def set_state(connection: psycopg.Connection, snapshot_id: str, state: str) -> None:
    """Move one snapshot to a state."""
    connection.execute(
        "update ledger.snapshots set state = %s where snapshot_id = %s", [state, snapshot_id]
    )
    reach("publish.state_set")


def set_current(connection: psycopg.Connection, snapshot_id: str) -> None:
    """Make one snapshot the published one; the one before becomes superseded."""
    with connection.transaction():
        connection.execute(
            "update ledger.snapshots set state = 'superseded'"
            " where state = 'published' and snapshot_id <> %s",
            [snapshot_id],
        )
        connection.execute(
            "update ledger.snapshots set state = 'published',"
            " published_at = coalesce(published_at, clock_timestamp())"
            " where snapshot_id = %s and state <> 'published'",
            [snapshot_id],
        )
    reach("publish.current_set")


def kept_snapshots(connection: psycopg.Connection, keep: int) -> list[str]:
    """The snapshots that stay: the current one, then those shown most recently, `keep` in all."""
    rows = connection.execute(
        "select f.snapshot_id from publication.flips f, publication.pointer p"
        " group by f.snapshot_id, p.snapshot_id"
        " order by f.snapshot_id is not distinct from p.snapshot_id desc, max(f.sequence) desc"
        " limit %s",
        [keep],
    )
    return [row[0] for row in rows]


def list_watched(connection: psycopg.Connection) -> set[str]:
    """The earlier snapshots that a transaction which is open now may still read.

    One of isolation level repeatable read goes on with the pointer of its start: a table that it
    has not touched yet would be empty for it once the partition is gone.
    """
    rows = connection.execute(
        "select distinct shown.snapshot_id from ("
        " select snapshot_id, flipped_at, lead(age(xmin)) over (order by sequence) as ended"
        " from publication.flips) as shown, ledger.sessions() as reader"
        " where reader.pid <> pg_backend_pid()"
        # it began before the next flip could be seen, and not before this one
        " and reader.snapshot_age >= shown.ended"
        " and reader.queried_at >= shown.flipped_at - interval '10 seconds'"
    )
    return {row[0] for row in rows}


def is_nothing_new(connection: psycopg.Connection, input_fingerprint: str) -> Snapshot | None:
    """The snapshot that this input already gave: the current one, or the last published or held.

    The last one counts even after a rollback from it, or the next run would publish again what
    was rolled back.
    """
    query = (
        f"select {_COLUMNS} from ledger.snapshots s"  # noqa: S608  # a constant
        " where input_fingerprint = %s and ("
        " snapshot_id = (select snapshot_id from publication.pointer)"
        " or snapshot_id = (select snapshot_id from ledger.snapshots"
        " where state in ('published', 'superseded', 'held') order by created_at desc limit 1))"
        " order by created_at desc limit 1"
    )
    row = connection.execute(query, [input_fingerprint]).fetchone()
    return Snapshot(*row) if row else None
