"""The steps of a run: one writer, one candidate, and what counts as new."""

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pytest

from zhongtai import build as building
from zhongtai import (
    gate,
    identity,
    ingest,
    locks,
    pipeline,
    quality,
    restatements,
    transform,
    warehouse,
)
from zhongtai.arrivals import wait_for_ingestion
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, GateHeldError, ZhongtaiError
from zhongtai.home import PRIVATE, secure_home
from zhongtai.ingest import IngestReport
from zhongtai.publish import publisher
from zhongtai.quality.results import Check, CheckResult
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings
from zhongtai.status import read_status
from zhongtai.tags import bitmaps
from zhongtai.transform import TransformReport

from publish_cases import AS_OF, everywhere, read_versions, write_build

CHECK = Check("gate", "leads_are_counted", "critical", "the funnel would be wrong")


class World:
    """Stands in for the parts that the pipeline only puts in order."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rows = 3
        self.outcome = "passed"
        self.suite = "gate"
        self.steps: list[str] = []
        self.with_bitmaps: list[str] = []

    def run_dbt(self, settings: Settings, _: Run, selector: str) -> TransformReport:
        self.steps.append(selector)
        if selector == "metrics":
            write_build(settings, self.rows)
            with duckdb.connect(settings.warehouse_file) as build:
                build.execute("create schema if not exists identity")
                build.execute(
                    "create or replace table identity.version as select 'v7' as identity_version"
                )
        return TransformReport(selector, 0.0, ())

    def ready_bitmaps(self, _: Settings, snapshot_id: str) -> None:
        self.with_bitmaps.append(snapshot_id)

    def resolve(self, *_: object) -> None:
        self.steps.append("identity")

    def check(self, *_: object) -> list[CheckResult]:
        return [
            CheckResult(
                self.suite, CHECK.expectation, "critical", self.outcome, "17 rows", CHECK.because
            )
        ]

    def deliver(self, number: int) -> None:
        """A ledger row, as a drain would leave it."""
        with connect(self.settings) as connection:
            run = start_run(connection, "ingest")
            connection.execute(
                "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
                " modified_at, status, rows_in, rows_loaded, rows_quarantined, rows_duplicate,"
                " contract_hash, as_of, discovered_at, run_id) values (%s, 'crm', 'leads', %s, %s,"
                " 1, now(), 'duplicate', 1, 0, 0, 1, '', now(), now(), %s)",
                [f"d{number}", f"f{number}", f"s{number}", run.run_id],
            )


@pytest.fixture
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(settings)
    monkeypatch.setattr(transform, "run_dbt", made.run_dbt)
    monkeypatch.setattr(identity, "resolve", made.resolve)
    monkeypatch.setattr(warehouse, "prepare", lambda *_: None)
    # they follow the models, which this world does not have
    monkeypatch.setattr(restatements, "record", lambda *_: 0)
    monkeypatch.setattr(quality, "check_candidate", made.check)
    monkeypatch.setattr(
        quality,
        "required_checks",
        lambda _: [Check(made.suite, CHECK.expectation, "critical", CHECK.because)],
    )
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    monkeypatch.setattr(bitmaps, "ready_bitmaps", made.ready_bitmaps)
    monkeypatch.setattr(ingest, "drain", lambda *_, **__: IngestReport())
    made.deliver(0)
    return made


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


def statuses(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "select command, status from ledger.runs where command <> 'ingest' order by started_at"
    ).fetchall()


def test_the_steps_run_in_order_and_publish(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    outcome = pipeline.run_once(settings, AS_OF)
    assert outcome.status == "published"
    assert world.steps == ["staging", "evidence", "identity", "profiles", "tags", "metrics"]
    assert read_versions(settings, connection) == everywhere(str(outcome.snapshot_id), 3)
    assert str(outcome.snapshot_id).startswith("20260331T160000Z-")
    assert world.with_bitmaps == [outcome.snapshot_id]
    assert statuses(connection) == [("run", "published")]


def test_the_single_steps_do_the_same(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    run_id = pipeline.build(settings, AS_OF)
    assert read_versions(settings, connection)["duckdb"] is None
    assert statuses(connection) == [("build", "built")]
    assert pipeline.check(settings, run_id).passed
    assert statuses(connection) == [("build", "checked")]
    snapshot_id = pipeline.publish(settings, run_id)
    assert read_versions(settings, connection) == everywhere(snapshot_id, 3)
    assert pipeline.publish(settings, run_id) == snapshot_id
    assert pipeline.check(settings, run_id).passed
    assert statuses(connection) == [("build", "published")]
    assert pipeline.build(settings, AS_OF) is None


def test_a_wrong_tag_is_told_before_anything_is_built(
    settings: Settings, connection: psycopg.Connection, world: World, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(settings.project_dir / "expectations" / "raw", project / "expectations" / "raw")
    (project / "seeds" / "tags").mkdir(parents=True)
    (project / "seeds" / "tags" / "intent.yml").write_text("group: other\n", "utf-8")
    wrong = settings.model_copy(update={"project_dir": project})
    with pytest.raises(ConfigurationError, match=r"intent\.yml:1: group is 'other'"):
        pipeline.build(wrong, AS_OF)
    assert world.steps == []
    assert statuses(connection) == [("build", "failed")]


def test_before_the_first_delivery_there_is_nothing_to_build(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    connection.execute("delete from ledger.deliveries")
    assert pipeline.build(settings, AS_OF) is None
    outcome = pipeline.run_once(settings, AS_OF)
    assert (outcome.status, outcome.snapshot_id) == ("nothing_new", None)
    assert world.steps == []


def test_a_build_waits_for_what_is_complete_but_not_for_ever(
    settings: Settings, connection: psycopg.Connection
) -> None:
    path = Path(settings.landing_url, "app", "events", "a.jsonl")
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    started = time.monotonic()
    wait_for_ingestion(settings, at_most_seconds=30)
    assert time.monotonic() - started < 15, "a file without its marker is not waited for"
    path.with_name("a.jsonl.done").touch()
    started = time.monotonic()
    wait_for_ingestion(settings, at_most_seconds=2)
    assert time.monotonic() - started >= 2


@pytest.mark.parametrize(("stable_seconds", "waits"), [(2, True), (100, False)])
def test_a_build_waits_for_a_file_that_is_at_rest_soon(
    settings: Settings, connection: psycopg.Connection, stable_seconds: int, *, waits: bool
) -> None:
    path = Path(settings.landing_url, "dms", "orders", "orders.csv")
    path.parent.mkdir(parents=True)
    path.write_text("a file that is still being written, for all that is known\n")
    started = time.monotonic()
    patient = settings.model_copy(update={"stable_seconds": stable_seconds})
    wait_for_ingestion(patient, at_most_seconds=4)
    assert (time.monotonic() - started >= 4) is waits


def test_equal_input_is_nothing_new_and_any_delivery_is(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    first = pipeline.run_once(settings, AS_OF)
    again = pipeline.run_once(settings, AS_OF)
    assert (again.status, again.snapshot_id) == ("nothing_new", first.snapshot_id)
    world.deliver(1)
    assert pipeline.run_once(settings, AS_OF).status == "published"
    assert pipeline.run_once(settings, datetime(2026, 4, 1, tzinfo=UTC)).status == "published"


def test_a_run_with_nothing_new_after_a_rollback_names_what_readers_see(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    first = str(pipeline.run_once(settings, AS_OF).snapshot_id)
    world.deliver(1)
    assert pipeline.run_once(settings, AS_OF).status == "published"
    publisher.rollback_to(settings, connection, first)
    again = pipeline.run_once(settings, AS_OF)
    assert (again.status, again.snapshot_id) == ("nothing_new", first)


def test_the_moment_of_the_run_counts_by_its_date_in_china(
    settings: Settings, connection: psycopg.Connection
) -> None:
    def print_of(hour: int, minute: int, *, explicit: bool) -> str:
        instant = datetime(2026, 3, 31, hour, minute, tzinfo=UTC)
        return building.fingerprint_inputs(
            settings, connection, instant, is_explicit=explicit
        ).fingerprint

    assert print_of(1, 0, explicit=False) == print_of(15, 59, explicit=False)
    assert print_of(15, 59, explicit=False) != print_of(16, 0, explicit=False)
    assert print_of(1, 0, explicit=True) != print_of(1, 1, explicit=True)


@pytest.mark.parametrize(
    "file",
    ["seeds/matching/persons.model.json", "seeds/identifiers.csv", "expectations/drift.yml"],
)
def test_a_changed_declaration_is_a_new_input(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path, file: str
) -> None:
    for folder in ("seeds", "expectations"):
        shutil.copytree(settings.project_dir / folder, tmp_path / folder)
    project = settings.model_copy(update={"project_dir": tmp_path})

    def print_of() -> str:
        return building.fingerprint_inputs(project, connection, AS_OF, is_explicit=True).fingerprint

    before = print_of()
    assert print_of() == before
    (tmp_path / file).write_text((tmp_path / file).read_text("utf-8") + "\n", "utf-8")
    assert print_of() != before


def test_a_held_candidate_changes_nothing_and_stays_held_until_released(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    first = str(pipeline.run_once(settings, AS_OF).snapshot_id)
    world.deliver(1)
    world.rows, world.outcome = 9, "failed"
    with pytest.raises(GateHeldError, match="leads_are_counted failed: 17 rows"):
        pipeline.run_once(settings, AS_OF)
    assert read_versions(settings, connection) == everywhere(first, 3)
    steps = len(world.steps)
    with pytest.raises(GateHeldError, match="nothing new has arrived"):
        pipeline.run_once(settings, AS_OF)
    assert len(world.steps) == steps
    assert read_status(settings).is_held
    with pytest.raises(GateHeldError):
        pipeline.publish(settings)
    released = pipeline.release(settings, "the flood of leads is real")
    assert read_versions(settings, connection) == everywhere(released, 9)
    because = connection.execute(
        "select because from publication.flips order by sequence desc limit 1"
    ).fetchone()
    assert because == ("the flood of leads is real",)
    assert pipeline.run_once(settings, AS_OF).status == "nothing_new"


def test_a_balance_failure_is_never_released(settings: Settings, world: World) -> None:
    world.outcome, world.suite = "failed", quality.BALANCE_SUITE
    with pytest.raises(GateHeldError):
        pipeline.run_once(settings, AS_OF)
    with pytest.raises(GateHeldError, match="out of balance"):
        pipeline.release(settings, "please")


def test_a_check_that_fails_itself_leaves_nothing_to_publish(
    settings: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no checks today")

    run_id = pipeline.build(settings, AS_OF)
    monkeypatch.setattr(gate, "decide", fail)
    with pytest.raises(RuntimeError):
        pipeline.check(settings, run_id)
    with pytest.raises(ZhongtaiError, match="has not passed its check"):
        pipeline.publish(settings, run_id)


def test_a_failed_build_leaves_no_candidate_and_the_next_run_builds_anew(
    settings: Settings,
    connection: psycopg.Connection,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = pipeline.build(settings, AS_OF)
    world.deliver(1)

    def fail(*_: object) -> None:
        raise ZhongtaiError("dbt tags: 1 of 9 nodes failed")

    with monkeypatch.context() as patch:
        patch.setattr(identity, "resolve", fail)
        with pytest.raises(ZhongtaiError, match="1 of 9"):
            pipeline.run_once(settings, AS_OF)
    with pytest.raises(ZhongtaiError, match="an unfinished build"):
        pipeline.check(settings, first)
    failed = connection.execute("select detail from ledger.runs where status = 'failed'").fetchall()
    assert failed[0] == ("dbt tags: 1 of 9 nodes failed",)
    assert pipeline.run_once(settings, AS_OF).status == "published"


def test_a_candidate_that_a_later_build_replaced_is_refused(
    settings: Settings, world: World
) -> None:
    first = pipeline.build(settings, AS_OF)
    assert pipeline.check(settings, first).passed
    world.deliver(1)
    pipeline.build(settings, AS_OF)
    for step in (pipeline.check, pipeline.publish):
        with pytest.raises(ZhongtaiError, match="not candidate"):
            step(settings, first)


def test_a_second_writer_says_who_is_at_work(
    settings: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, may_go = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        at_work.set()
        may_go.wait(60)

    monkeypatch.setattr(warehouse, "prepare", wait)
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.3)
    first = threading.Thread(target=pipeline.build, args=(settings, AS_OF))
    first.start()
    try:
        assert at_work.wait(60)
        with pytest.raises(ZhongtaiError, match=r"another process is .*zhongtai build"):
            pipeline.build(settings, AS_OF)
    finally:
        may_go.set()
        first.join()


def test_a_run_that_finds_another_writer_is_failed_and_not_left_running(
    settings: Settings,
    connection: psycopg.Connection,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.3)
    with (
        locks.exclusive_lock(settings, connection, publisher.WRITER_LOCK, "building"),
        pytest.raises(ZhongtaiError, match="another process"),
    ):
        pipeline.run_once(settings, AS_OF)
    assert statuses(connection) == [("run", "failed")]


def test_an_unreadable_working_file_is_built_anew(settings: Settings, world: World) -> None:
    settings.warehouse_file.parent.mkdir(parents=True)
    settings.warehouse_file.write_bytes(b"not a database" * 1000)
    assert pipeline.run_once(settings, AS_OF).status == "published"


def test_deleted_files_are_published_anew(
    settings: Settings, connection: psycopg.Connection, world: World
) -> None:
    first = pipeline.run_once(settings, AS_OF).snapshot_id
    shutil.rmtree(settings.path("published"))
    shutil.rmtree(settings.path("warehouse"))
    outcome = pipeline.run_once(settings, AS_OF)
    assert outcome.status == "published"
    assert outcome.snapshot_id != first
    assert read_versions(settings, connection) == everywhere(str(outcome.snapshot_id), 3)


def test_unknown_runs_and_sources_are_named(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no source 'erp'"):
        pipeline.ingest(settings, "erp")
    with connect(settings) as connection, pytest.raises(ConfigurationError, match="no run R-9"):
        pipeline.load_run(connection, "R-9")


def test_private_folders_are_closed_to_others(settings: Settings) -> None:
    settings.path("quarantine").mkdir(parents=True, mode=0o755)
    secure_home(settings)
    folders = [*map(settings.path, PRIVATE), settings.path("lake")]
    folders.append(settings.path("published", "profiles"))
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
