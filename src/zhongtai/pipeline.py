"""The steps of a run, as the command line and the DAGs call them.

Each step may be a process of its own. A run id ties build, check and publish together: they act on
the candidate of that run, and refuse when the working file holds another one by now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import psycopg

from zhongtai import ledger
from zhongtai.access import LOADER, PUBLISHER
from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import connect, name_session
from zhongtai.errors import GateHeldError, ZhongtaiError
from zhongtai.home import secure_home
from zhongtai.locks import exclusive_lock
from zhongtai.publish import current_snapshot, publisher, snapshots
from zhongtai.publish import recover as recover_snapshots
from zhongtai.publish.candidates import (
    Candidate,
    load_candidate,
    record_content,
)
from zhongtai.publish.publisher import Progress, ignore_progress
from zhongtai.runs import Run, RunStatus, finish_run, load_run, resume_run, start_run
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from zhongtai.erasure.erasures import Asked
    from zhongtai.erasure.reports import Removal
    from zhongtai.gate import Verdict
    from zhongtai.ingest import IngestReport
    from zhongtai.quarantine import ReplayReport, Selection

HOLD_HINT = (
    "mend the input, the rule or the model and run again; or, when the numbers are right after"
    ' all and the rows balance, zhongtai release --because "…"'
)


@dataclass(frozen=True)
class Outcome:
    """How a one-shot run ended."""

    status: Literal["published", "nothing_new"]
    run_id: str
    snapshot_id: str | None
    ingested: "IngestReport"


@contextmanager
def _writer(settings: Settings, what: str, role: str = PUBLISHER) -> Iterator[psycopg.Connection]:
    """The one writer of the working file: a connection that holds the lock."""
    with connect(settings.acting_as(role), autocommit=True) as connection:
        name_session(connection, what)
        with exclusive_lock(
            settings, connection, publisher.WRITER_LOCK, "building or publishing in this home"
        ):
            yield connection


@contextmanager
def _recorded(connection: psycopg.Connection, run: Run) -> Iterator[None]:
    """Record a failure of the run with what a person needs, and nothing of the data."""
    try:
        yield
    except GateHeldError:
        raise
    except BaseException as error:
        detail = error.message if isinstance(error, ZhongtaiError) else type(error).__name__
        _finish(connection, run, "failed", detail)
        raise


def _finish(
    connection: psycopg.Connection, run: Run, status: RunStatus, detail: str | None = None
) -> None:
    if not connection.closed and not connection.broken:
        finish_run(connection, run, status, detail)


def ingest(
    settings: Settings,
    source: str | None = None,
    as_of: datetime | None = None,
    progress: Progress = ignore_progress,
) -> "IngestReport":
    """Drain the landing zone, of one source or of all, until nothing complete is left.

    Raises ConfigurationError for a source without a contract.
    """
    contracts = load_contracts(settings.project_dir)
    if source is not None:
        contracts.of_source(source)
    secure_home(settings)
    with connect(settings.acting_as(LOADER), autocommit=True) as connection:
        run = start_run(connection, "ingest", as_of)
        with _recorded(connection, run):
            report = _drain(settings, contracts, run, source, progress)
        _finish(connection, run, "done")
    return report


def _drain(
    settings: Settings, contracts: Contracts, run: Run, source: str | None, progress: Progress
) -> "IngestReport":
    from zhongtai import ingest as ingestion

    progress("ingest")
    return ingestion.drain(
        settings,
        contracts,
        run,
        source=source,
        progress=lambda _, done, total: progress(f"ingest: {done} of {total} files"),
    )


def replay(
    settings: Settings, selection: "Selection", progress: Progress = ignore_progress
) -> "ReplayReport":
    """Judge again what is quarantined, by the contracts as they are now; each row loads once."""
    from zhongtai import quarantine

    contracts = load_contracts(settings.project_dir)
    secure_home(settings)
    with connect(settings.acting_as(LOADER), autocommit=True) as connection:
        run = start_run(connection, "replay")
        with _recorded(connection, run):
            progress("replay")
            report = quarantine.replay(settings, contracts, run, selection)
        _finish(connection, run, "done")
    return report


def erase(
    settings: Settings,
    asked: "Asked",
    *,
    author: str,
    because: str,
    progress: Progress = ignore_progress,
) -> "Removal":
    """Erase the person behind an identifier. Raises ZhongtaiError where it names not just one."""
    from zhongtai.erasure import erasures

    contracts = load_contracts(settings.project_dir)
    secure_home(settings)
    with _writer(settings, "erase", role="") as connection:
        recover_snapshots(settings)
        run = start_run(connection, "erase")
        with _recorded(connection, run):
            progress("erase")
            person = erasures.find_published(settings, asked)
            said = {"author": author, "because": because}
            removal = erasures.erase_person(
                settings, contracts, connection, run, person, **said, progress=progress
            )
        _finish(connection, run, "done")
    return removal


def build(
    settings: Settings,
    as_of: datetime | None = None,
    progress: Progress = ignore_progress,
) -> str | None:
    """Build a candidate of everything loaded; returns its run id, None when nothing is new.

    Raises ZhongtaiError that names the models that failed.
    """
    contracts = load_contracts(settings.project_dir)
    secure_home(settings)
    with _writer(settings, "build") as connection:
        recover_snapshots(settings)
        run = start_run(connection, "build", as_of)
        with _recorded(connection, run):
            candidate = _build_if_new(settings, contracts, connection, run, as_of, progress)
        if not isinstance(candidate, Candidate):
            _finish(connection, run, "nothing_new", _say_same(candidate))
            return None
        _finish(connection, run, "built", candidate.snapshot_id)
    return run.run_id


def _build_if_new(  # noqa: PLR0913, PLR0917  # what a build is made of
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    run: Run,
    as_of: datetime | None,
    progress: Progress,
) -> Candidate | snapshots.Snapshot | None:
    """The new candidate, or the snapshot that the same input gave already; None without input."""
    from zhongtai import build as building
    from zhongtai.retention import let_go

    if not ledger.has_deliveries(connection):
        return None
    let_go(settings, contracts, run, progress)
    while True:
        inputs = building.fingerprint_inputs(
            settings, connection, run.as_of, is_explicit=as_of is not None
        )
        same = snapshots.is_nothing_new(connection, inputs.fingerprint)
        if same is not None and (
            same.state != "published"
            or publisher.is_complete(settings, connection, same.snapshot_id)
        ):
            return same
        candidate = building.build_candidate(settings, contracts, run, inputs, progress)
        # who asked to be erased was erased: what is left is built anew
        if candidate is not None:
            return candidate


def _say_same(snapshot: snapshots.Snapshot | None) -> str:
    if snapshot is None:
        return "nothing was ever delivered"
    return f"same input as snapshot {snapshot.snapshot_id} ({snapshot.state})"


def check(
    settings: Settings, run_id: str | None = None, progress: Progress = ignore_progress
) -> "Verdict":
    """Let the gate judge the candidate of a run (default: the last one).

    What was looked at is recorded by content hash, and only that may be published. Raises
    ZhongtaiError when the working file holds another candidate by now.
    """
    with _writer(settings, "check") as connection:
        candidate = load_candidate(connection, run_id=run_id)
        run = load_run(connection, candidate.run_id)
        resume_run(connection, run)
        with _recorded(connection, run):
            verdict = _judge(settings, connection, run, candidate, progress)
        if verdict.passed:
            is_shown = snapshots.is_shown(connection, candidate.snapshot_id)
            status: RunStatus = "published" if is_shown else "checked"
            _finish(connection, run, status, candidate.snapshot_id)
        else:
            _finish(connection, run, "held", verdict.because)
    return verdict


def _judge(
    settings: Settings,
    connection: psycopg.Connection,
    run: Run,
    candidate: Candidate,
    progress: Progress,
) -> "Verdict":
    from zhongtai import gate, quality
    from zhongtai.publish import duckdb_store

    progress("check")
    with duckdb_store.unchanged_build(settings):
        tables, hashes = duckdb_store.hash_candidate(settings, candidate)
        publisher.refuse_unpublishable(connection, tables)
        record_content(connection, candidate, hashes)
        results = quality.check_candidate(settings, run)
        verdict = gate.decide(results, quality.required_checks(settings))
    judged = load_candidate(connection, snapshot_id=candidate.snapshot_id)
    if verdict.passed:
        gate.accept(connection, judged, verdict)
    else:
        gate.hold(connection, judged, verdict)
    return verdict


def publish(
    settings: Settings, run_id: str | None = None, progress: Progress = ignore_progress
) -> str:
    """Publish the checked candidate of a run (default: the last one); returns the snapshot id.

    A candidate that is published already gives its id again. Raises GateHeldError for a held one.
    """
    with _writer(settings, "publish") as connection:
        candidate = load_candidate(connection, run_id=run_id)
        if candidate.verdict == "held":
            raise GateHeldError(_describe_hold(settings, candidate), hint=HOLD_HINT)
        return _publish_run(settings, connection, candidate, progress)


def _publish_run(
    settings: Settings, connection: psycopg.Connection, candidate: Candidate, progress: Progress
) -> str:
    """Publish a candidate as the last step of the run that built it."""
    run = load_run(connection, candidate.run_id)
    resume_run(connection, run)
    with _recorded(connection, run):
        progress("publish")
        snapshot_id = _publish(settings, connection, candidate, progress)
    _finish(connection, run, "published", snapshot_id)
    return snapshot_id


def _publish(
    settings: Settings, connection: psycopg.Connection, candidate: Candidate, progress: Progress
) -> str:
    """Publish a candidate, and make ready what previews read of it."""
    from zhongtai.tags.bitmaps import ready_bitmaps

    snapshot_id = publisher.publish_candidate(settings, connection, candidate, progress)
    progress("publish: bitmaps of tags")
    ready_bitmaps(settings, snapshot_id)
    return snapshot_id


def describe_hold(settings: Settings, run_id: str | None = None) -> str:
    """Why the candidate of a run is held, with numbers, and where the page of its checks is."""
    with connect(settings.acting_as(PUBLISHER)) as connection:
        return _describe_hold(settings, load_candidate(connection, run_id=run_id))


def _describe_hold(settings: Settings, candidate: Candidate) -> str:
    from zhongtai import quality

    return (
        f"the gate held candidate {candidate.snapshot_id}; readers keep the last snapshot."
        f" {candidate.because or ''}\n  details: {quality.docs_page(settings, candidate.run_id)}"
    )


def release(
    settings: Settings,
    because: str,
    progress: Progress = ignore_progress,
    snapshot_id: str | None = None,
) -> str:
    """Publish the candidate that the gate held last, for a reason that is recorded.

    With a snapshot id only that one. Returns the snapshot id. Raises ZhongtaiError without a
    reason, when none is held, a later build has replaced it or it changed since, and GateHeldError
    where rows are out of balance: that is never released.
    """
    from zhongtai import gate
    from zhongtai.publish import duckdb_store

    with _writer(settings, "release") as connection:
        held = load_candidate(connection, snapshot_id=snapshot_id)
        if held.verdict == "held":
            # before anything is recorded: what cannot be published stays held
            duckdb_store.require_checked(settings, held)
        candidate = gate.release(settings, because, held.snapshot_id)
        return _publish_run(settings, connection, candidate, progress)


def run_once(
    settings: Settings, as_of: datetime | None = None, progress: Progress = ignore_progress
) -> Outcome:
    """One shot without a scheduler: ingest, build, check and publish as one run.

    Raises GateHeldError when the gate holds the candidate, or held the same input before.
    """
    contracts = load_contracts(settings.project_dir)
    secure_home(settings)
    with connect(settings.acting_as(PUBLISHER), autocommit=True) as connection:
        run = start_run(connection, "run", as_of)
        with _recorded(connection, run):
            report = _drain(settings, contracts, run, None, progress)
            with _writer(settings, "run") as writer:
                recover_snapshots(settings)
                candidate = _build_if_new(settings, contracts, writer, run, as_of, progress)
                if not isinstance(candidate, Candidate):
                    return _end_without_news(settings, connection, run, candidate, report)
                verdict = _judge(settings, writer, run, candidate, progress)
                if verdict.passed:
                    checked = load_candidate(writer, run_id=run.run_id)
                    progress("publish")
                    _publish(settings, writer, checked, progress)
        if not verdict.passed:
            _finish(connection, run, "held", verdict.because)
            held = load_candidate(connection, run_id=run.run_id)
            raise GateHeldError(_describe_hold(settings, held), hint=HOLD_HINT)
        _finish(connection, run, "published", candidate.snapshot_id)
    return Outcome("published", run.run_id, candidate.snapshot_id, report)


def _end_without_news(
    settings: Settings,
    connection: psycopg.Connection,
    run: Run,
    same: snapshots.Snapshot | None,
    report: "IngestReport",
) -> Outcome:
    if same is not None and same.state == "held":
        _finish(connection, run, "held", _say_same(same))
        raise GateHeldError(
            "nothing new has arrived; " + describe_hold(settings, same.run_id), hint=HOLD_HINT
        )
    _finish(connection, run, "nothing_new", _say_same(same))
    # after a rollback readers see another snapshot than that of the same input
    return Outcome("nothing_new", run.run_id, current_snapshot(connection), report)
