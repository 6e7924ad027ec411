"""The candidate: what one build made, sealed in the working file and known to the database.

Its snapshot id is settled when it is sealed. check and publish take a candidate only while the
working file still holds exactly that one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from zhongtai.crash_points import reach
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.publish.content import TableHash, audited_hash, snapshot_hash

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Candidate:
    """One build's result. `inputs_at` is when the list of its input was taken.

    Both instants are aware; `tables` is empty until it was checked.
    """

    snapshot_id: str
    run_id: str
    as_of: datetime
    input_fingerprint: str
    identity_version: str
    inputs_at: datetime
    content_hash: str | None = None
    tables: Mapping[str, TableHash] = field(default_factory=dict)
    verdict: str | None = None
    because: str | None = None


def make_snapshot_id(as_of: datetime, run_id: str, input_fingerprint: str) -> str:
    """`20260331T160000Z-3f9a1c2b`: sorts by as-of, unique by run and input."""
    digest = hashlib.sha256(f"{run_id}\n{input_fingerprint}".encode()).hexdigest()
    return f"{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"


def discard_candidate(warehouse: "DuckDBPyConnection") -> None:
    """Forget the sealed candidate of the working file: its tables are about to change."""
    warehouse.execute("create schema if not exists meta")
    warehouse.execute("drop table if exists meta.candidate")


def seal_candidate(
    warehouse: "DuckDBPyConnection", connection: psycopg.Connection, candidate: Candidate
) -> None:
    """Record in the working file and in the database that the build is complete."""
    connection.execute(
        "insert into publication.candidates"
        " (snapshot_id, run_id, as_of, input_fingerprint, identity_version, inputs_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (snapshot_id) do update set"
        " content_hash = null, table_hashes = null, verdict = null, because = null,"
        " sealed_at = clock_timestamp(), decided_at = null",
        [
            candidate.snapshot_id,
            candidate.run_id,
            candidate.as_of,
            candidate.input_fingerprint,
            candidate.identity_version,
            candidate.inputs_at,
        ],
    )
    reach("build.candidate_recorded")
    discard_candidate(warehouse)
    warehouse.execute(
        "create table meta.candidate as select cast(? as varchar) as snapshot_id,"
        " cast(? as varchar) as run_id",
        [candidate.snapshot_id, candidate.run_id],
    )
    reach("build.candidate_sealed")
    warehouse.execute("checkpoint")
    reach("build.checkpointed")


def sealed_snapshot_id(warehouse: "DuckDBPyConnection") -> str | None:
    """The snapshot id of the candidate in the working file; None while a build is unfinished."""
    exists = warehouse.execute(
        "select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'candidate'"
    ).fetchone()
    if not exists:
        return None
    row = warehouse.execute("select snapshot_id from meta.candidate").fetchone()
    return str(row[0]) if row else None


_COLUMNS = (
    "snapshot_id, run_id, as_of, input_fingerprint, identity_version, inputs_at, content_hash,"
    " table_hashes, verdict, because"
)


def load_candidate(
    connection: psycopg.Connection, *, run_id: str | None = None, snapshot_id: str | None = None
) -> Candidate:
    """The candidate of a run, or with a snapshot id, or else the one sealed last.

    Raises ConfigurationError where the one that was named is not there, and ZhongtaiError where
    none is.
    """
    row = connection.execute(
        f"select {_COLUMNS} from publication.candidates"  # noqa: S608  # a constant
        " where (%(run)s::text is null or run_id = %(run)s)"
        " and (%(snapshot)s::text is null or snapshot_id = %(snapshot)s)"
        " order by sealed_at desc limit 1",
        {"run": run_id, "snapshot": snapshot_id},
    ).fetchone()
    if row is None:
        wanted = run_id or snapshot_id
        hint = "run `zhongtai build` first"
        if wanted:
            raise ConfigurationError(f"no candidate of {wanted} was built", hint=hint)
        raise ZhongtaiError("no candidate was built yet", hint=hint)
    hashes = {label: TableHash(*pair) for label, pair in (row[7] or {}).items()}
    first = (row[0], row[1], row[2], row[3], row[4], row[5], row[6])
    return Candidate(*first, tables=hashes, verdict=row[8], because=row[9])


def record_content(
    connection: psycopg.Connection, candidate: Candidate, tables: Mapping[str, TableHash]
) -> None:
    """Store what a check is about to look at: publish refuses any other content.

    What an earlier check said was about other content, and is forgotten.
    """
    connection.execute(
        "update publication.candidates set content_hash = %s, table_hashes = %s,"
        " verdict = null, because = null, decided_at = null where snapshot_id = %s",
        [
            snapshot_hash(tables),
            json.dumps({label: astuple(table) for label, table in tables.items()}),
            candidate.snapshot_id,
        ],
    )
    reach("check.content_recorded")


def record_verdict(
    connection: psycopg.Connection, candidate: Candidate, verdict: str, because: str
) -> None:
    """Store what the gate said (passed, held) or that a person released it, and why."""
    connection.execute(
        "update publication.candidates set verdict = %s, because = %s,"
        " decided_at = clock_timestamp() where snapshot_id = %s",
        [verdict, because, candidate.snapshot_id],
    )


def require_passed(connection: psycopg.Connection, candidate: Candidate) -> None:
    """Raise ZhongtaiError unless the last word about exactly this content lets it be published."""
    row = connection.execute(
        "select verdict, audited_hash from ledger.gate_verdicts where snapshot_id = %s"
        " order by sequence desc limit 1",
        [candidate.snapshot_id],
    ).fetchone()
    verdict, audited = row or (None, None)
    hint = "run `zhongtai check`; a held candidate needs `zhongtai release --because ...`"
    if not candidate.tables or verdict not in ("passed", "released"):
        raise ZhongtaiError(
            f"candidate {candidate.snapshot_id} has not passed its check"
            f" (verdict: {verdict or 'none'})",
            hint=hint,
        )
    if candidate.verdict != verdict or audited != audited_hash(candidate.tables):
        raise ZhongtaiError(
            f"candidate {candidate.snapshot_id} is recorded as {candidate.verdict or 'unchecked'},"
            f" but what the gate {verdict} was another content",
            hint=hint,
        )


def require_sealed(warehouse: "DuckDBPyConnection", candidate: Candidate) -> None:
    """Raise ZhongtaiError unless the working file still holds this candidate."""
    found = sealed_snapshot_id(warehouse)
    if found != candidate.snapshot_id:
        raise ZhongtaiError(
            f"the working file holds {found or 'an unfinished build'},"
            f" not candidate {candidate.snapshot_id} of run {candidate.run_id}",
            hint="another build has replaced it: run `zhongtai run` anew",
        )
