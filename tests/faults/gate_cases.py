"""A home with a published snapshot and a sound second candidate, for gates to be sabotaged in."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pytest

from candidate_cases import TEMPLATE, make_built, record_nodes
from zhongtai import pipeline, quality
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.publish import publisher
from zhongtai.publish.candidates import Candidate, make_snapshot_id, seal_candidate
from zhongtai.quality.results import CheckResult, result
from zhongtai.quality.suites import Suite
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings
from zhongtai.tags import bitmaps
from zhongtai.warehouse import open_build

FIRST, SECOND = (datetime(2026, 3, day, 16, tzinfo=UTC) for day in (30, 31))


@dataclass
class GateWorld:
    """Readers see `shown`; `run` built the candidate that the working file holds."""

    settings: Settings
    run: Run
    shown: str
    # what somebody does while the checks are made
    during: Callable[[], None] | None = None

    def ledger(self, *statements: str) -> None:
        """Change the database."""
        with connect(self.settings) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def build(self, *statements: str) -> None:
        """Change the working file."""
        with open_build(self.settings) as warehouse:
            for statement in statements:
                warehouse.execute(statement)

    def check(self) -> bool:
        """Whether the gate lets the candidate pass."""
        return pipeline.check(self.settings, self.run.run_id).passed

    def publish(self) -> str:
        """Publish the candidate."""
        return pipeline.publish(self.settings, self.run.run_id)

    def suite(self, table: str) -> Path:
        """The file of the suite of a table."""
        return self.settings.project_dir / "expectations" / "published" / f"{table}.yml"

    def part(self) -> Path:
        """A part of the raw zone."""
        return next((self.settings.home / "lake" / "raw").rglob("*.parquet"))

    def read_shown(self) -> set[str | None]:
        """The snapshots that the stores show: one, where all is well."""
        with connect(self.settings) as connection:
            row = connection.execute("select snapshot_id from publication.pointer").fetchone()
            views = connection.execute("select min(snapshot_id) from metrics.dim_dates").fetchone()
        assert row is not None
        assert views is not None
        published = self.settings.path("published")
        links = [published / store / "current.duckdb" for store in ("metrics", "profiles")]
        links.append(published / "parquet" / "current")
        return {row[0], views[0], *(link.resolve().name.split(".")[0] for link in links)}


def pretend_suites(
    _: Settings, suites: Sequence[Suite], tables: Sequence[str], __: Path
) -> list[CheckResult]:
    """Stands in for Great Expectations, whose results have tests of their own."""
    return [
        result(check, "passed", "observed_value 0")
        for suite in suites
        if suite.table in tables
        for check in suite.checks
    ]


def stand_in(patch: pytest.MonkeyPatch, world: Callable[[], GateWorld | None]) -> None:
    """Leave out what the gate does not depend on: identity maps, bitmaps and, here, GX."""

    def look(*arguments: object) -> list[CheckResult]:
        if (made := world()) is not None and made.during:
            made.during()
        return pretend_suites(*arguments)  # type: ignore[arg-type]

    def commit(settings: Settings, snapshot_id: str) -> None:
        folder = settings.path("identity", snapshot_id)
        folder.mkdir(parents=True, exist_ok=True)
        with open_build(settings, read_only=True) as build:
            build.table("identity.record_map").write_parquet(str(folder / "record_map.parquet"))

    patch.setattr(quality, "_expectation_results", look)
    patch.setattr(publisher, "commit_identity", commit)
    patch.setattr(bitmaps, "ready_bitmaps", lambda *_: None)


def seal(settings: Settings, run: Run, as_of: datetime) -> str:
    """Seal what is in the working file as the candidate of a run."""
    snapshot_id = make_snapshot_id(as_of, run.run_id, "input")
    candidate = Candidate(snapshot_id, run.run_id, as_of, "input", "v1", datetime.now(UTC))
    with (
        connect(settings, autocommit=True) as connection,
        duckdb.connect(settings.warehouse_file) as build,
    ):
        seal_candidate(build, connection, candidate)
    return snapshot_id


def build_next(settings: Settings, as_of: datetime) -> Run:
    """Make what is in the working file the candidate of a new run."""
    with connect(settings) as connection:
        run = start_run(connection, "build", as_of)
    record_nodes(settings, run)
    with open_build(settings) as build:
        build.execute("update meta.run_context set run_id = ?", [run.run_id])
        build.execute("insert into metrics.dim_dates values (current_date, 0.5)")
    seal(settings, run, as_of)
    return run


@contextmanager
def make_world(
    postgres_server: str, contracts: Contracts, folder: Path, database: str
) -> Iterator[GateWorld]:
    """The world that each test gets a copy of."""
    with (
        make_built(postgres_server, contracts, folder, database) as built,
        pytest.MonkeyPatch.context() as patch,
    ):
        stand_in(patch, lambda: None)
        seal(built.settings, built.run, FIRST)
        verdict = pipeline.check(built.settings, built.run.run_id)
        assert verdict.passed, verdict.because
        shown = pipeline.publish(built.settings, built.run.run_id)
        run = build_next(built.settings, SECOND)
        yield GateWorld(built.settings, run, shown)


@contextmanager
def copy_world(
    world: GateWorld, postgres_server: str, tmp_path: Path, database: str
) -> Iterator[GateWorld]:
    """A copy of files and database, for one test to spoil."""
    shutil.copytree(world.settings.home, tmp_path / "home", symlinks=True)
    shutil.copytree(world.settings.project_dir, tmp_path / "project")
    url = world.settings.database_url.get_secret_value()
    template = url.split("?")[0].rpartition("/")[2]
    server = postgres_server.replace(TEMPLATE, "/postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {database} template {template}".encode())
    changes = {
        "home": tmp_path / "home",
        "project_dir": tmp_path / "project",
        "database_url": type(world.settings.database_url)(url.replace(template, database)),
    }
    yield GateWorld(world.settings.model_copy(update=changes), world.run, world.shown)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)".encode())


def refused(action: Callable[[], object]) -> str:
    """What an action is refused with."""
    with pytest.raises(ZhongtaiError) as found:
        action()
    return str(found.value)
