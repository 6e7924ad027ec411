"""Building a candidate: the steps in their order, over one working file with one writer."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from zhongtai import __version__
from zhongtai.access import PUBLISHER
from zhongtai.contracts import Contracts
from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.publish.candidates import (
    Candidate,
    discard_candidate,
    make_snapshot_id,
    seal_candidate,
)
from zhongtai.publish.publisher import Progress, ignore_progress
from zhongtai.runs import Run
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")  # no daylight saving since 1991

# dbt selectors, but for `identity`, which is Python over the evidence
STEPS = ("staging", "evidence", "identity", "profiles", "tags", "metrics")

_SOURCE_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".json"}


@dataclass(frozen=True)
class Inputs:
    """What a candidate is made of, as one hash, and when that was listed (aware)."""

    fingerprint: str
    taken_at: datetime


def _hash_files(root: Path, folders: Iterable[str]) -> str:
    digest = hashlib.sha256(__version__.encode())
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in _SOURCE_SUFFIXES and file.is_file():
                digest.update(str(file.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def fingerprint_inputs(
    settings: Settings, connection: psycopg.Connection, as_of: datetime, *, is_explicit: bool
) -> Inputs:
    """Hash of everything a candidate depends on: equal fingerprints would publish nothing new.

    Deliveries count whatever became of them, because the published ledger shows each. An `as_of`
    that nobody gave counts by its date in China: windows mature once a day.
    """
    # before anything is read: what arrives meanwhile makes the next run new, and is never lost
    taken_at = datetime.now(UTC)
    local = as_of.astimezone(CHINA)
    parts = [
        _hash_files(settings.project_dir / "dbt_project", ("models", "macros", "tests")),
        _hash_files(settings.project_dir, ("seeds", "expectations")),
        as_of.isoformat() if is_explicit else local.date().isoformat(),
        *_list_deliveries(connection),
        *_list_decisions(connection),
    ]
    return Inputs(hashlib.sha256("\n".join(parts).encode()).hexdigest(), taken_at)


def _list_deliveries(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        "select concat_ws(' ', delivery_id, status, rows_loaded, rows_quarantined,"
        " rows_duplicate, rows_suppressed) from ledger.deliveries"
        " union all select concat_ws(' ', part, rows) from ledger.parts order by 1"
    )
    return [row[0] for row in rows]


def _list_decisions(connection: psycopg.Connection) -> list[str]:
    """What people decided as text: who is who, undone or not, and tags that they set."""
    return [
        *(r[0] for r in connection.execute("select d::text from identity.decisions d order by 1")),
        *(r[0] for r in connection.execute("select s::text from tags.statements s order by 1")),
    ]


def build_candidate(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    inputs: Inputs,
    progress: Progress,
) -> Candidate | None:
    """Run every step and seal the result; the caller holds the writer lock.

    None where persons asked to be erased and were: the input is another one now, to be built anew.
    Raises ZhongtaiError that names the models that failed; no candidate is left then. A wrong
    declaration of a tag or seed is a ConfigurationError before anything is built.
    """
    from zhongtai import warehouse
    from zhongtai.database import connect

    settings = settings.acting_as(PUBLISHER)
    _check_tags(settings.project_dir)
    _ready_working_file(settings)
    warehouse.prepare(settings, contracts, run)
    snapshot_id = make_snapshot_id(run.as_of, run.run_id, inputs.fingerprint)
    warehouse.name_snapshot(settings, snapshot_id, run, inputs.taken_at)
    for step in STEPS:
        progress(f"build {step}")
        run_step(settings, run, step, progress)
        reach("build.step_done")
        if step == "profiles" and _erase_requested(settings, contracts, run, progress):
            return None
    with warehouse.open_build(settings) as build, connect(settings, autocommit=True) as ledger:
        candidate = Candidate(
            snapshot_id,
            run.run_id,
            run.as_of,
            inputs.fingerprint,
            _read_identity_version(build),
            inputs.taken_at,
        )
        seal_candidate(build, ledger, candidate)
    return candidate


def _check_tags(project_dir: Path) -> None:
    """Read the declarations: their step comes late, and a mistake is better told at once."""
    from zhongtai.tags import load_tags

    if (project_dir / "seeds" / "tags").is_dir():
        load_tags(project_dir)


def _erase_requested(
    settings: Settings, contracts: Contracts, run: Run, progress: Progress
) -> bool:
    from zhongtai.database import connect
    from zhongtai.erasure.erasures import erase_requested

    # only the owner of the database writes tombstones, counts and decisions anew
    settings = settings.acting_as("")
    with connect(settings, autocommit=True) as connection:
        return erase_requested(settings, contracts, connection, run, progress)


def run_step(settings: Settings, run: Run, step: str, progress: Progress = ignore_progress) -> None:
    """Run one of STEPS over the prepared working file. Raises ZhongtaiError when it fails."""
    if step == "identity":
        from zhongtai import identity

        progress(f"build identity: {identity.resolve(settings, run)}")
        reach("build.identity_resolved")
        return
    from zhongtai import restatements, tags, transform

    if step == "tags":
        tags.load_history(settings)
        tags.load_statements(settings)
        tags.prepare_increment(settings, run)
    if step == "metrics":
        restatements.load_history(settings, run)
    report = transform.run_dbt(settings, run, step)
    if step == "tags":
        tags.record_costs(settings, report)
        tags.keep_increment(settings, run)
    if step == "metrics":
        progress(f"build metrics: {restatements.record(settings, run):,} values restated")


def _read_identity_version(build: "DuckDBPyConnection") -> str:
    row = build.execute("select identity_version from identity.version").fetchone()
    if row is None:
        raise ZhongtaiError(
            "identity resolution left no version of its map",
            hint="this is a fault of zhongtai; run `zhongtai build` again",
        )
    return str(row[0])


def _ready_working_file(settings: Settings) -> None:
    """Forget the last candidate, or the whole file where DuckDB cannot read it: it is disposable.

    Raises ZhongtaiError when another program has the file open.
    """
    import duckdb

    file = settings.warehouse_file
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with duckdb.connect(file) as build:
            discard_candidate(build)
        reach("build.candidate_discarded")
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            raise ZhongtaiError(
                f"another program has {file} open",
                hint="close it: the working file is for the pipeline alone; read"
                f" {settings.path('published', 'metrics', 'current.duckdb')} instead",
            ) from error
        file.unlink()
        file.with_name(file.name + ".wal").unlink(missing_ok=True)
        reach("build.working_file_removed")
    else:
        file.chmod(0o600)
