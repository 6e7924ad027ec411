"""Two processes that want the same: one does it, the other says who does, and nothing is lost."""

import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
import rival_programs
from rivals import Rival, Rivals, rivals_in

from zhongtai import publish
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.locks import lock_holder
from zhongtai.publish import publisher
from zhongtai.publish.candidates import load_candidate
from zhongtai.publish.postgres_store import current_snapshot
from zhongtai.runs import start_run
from zhongtai.settings import Settings

from landing_cases import Landing
from publish_cases import build_candidate, everywhere, read_versions


@pytest.fixture
def rivals(settings: Settings, tmp_path: Path) -> Iterator[Rivals]:
    with rivals_in(settings, tmp_path / "rivals") as made:
        yield made


@pytest.fixture
def connection(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with connect(settings, autocommit=True) as opened:
        yield opened


def deliver(connection: psycopg.Connection, number: int = 0) -> None:
    """A ledger row, so that there is something to build."""
    run = start_run(connection, "ingest")
    connection.execute(
        "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
        " modified_at, status, rows_in, rows_loaded, rows_quarantined, rows_duplicate,"
        " contract_hash, as_of, discovered_at, run_id) values (%s, 'crm', 'leads', %s, %s,"
        " 1, now(), 'duplicate', 1, 0, 0, 1, '', now(), now(), %s)",
        [f"d{number}", f"f{number}", f"s{number}", run.run_id],
    )


def assert_names(refusal: str, holder: Rival) -> None:
    """A refusal says who has the right, since when, and what to do."""
    assert f"(process {holder.pid} on " in refusal
    assert ", since 20" in refusal
    assert "what to do: " in refusal


def end_sessions(connection: psycopg.Connection, of: Rival) -> None:
    """What a restart of the server, or an administrator, does to a process."""
    ended = connection.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where application_name like %s",
        [f"%(process {of.pid} on %"],
    ).fetchone()
    assert ended is not None
    assert ended[0] > 0


def test_two_drains_at_once_take_in_every_file_once(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals, contracts: Contracts
) -> None:
    landing = Landing(Path(settings.landing_url), contracts)
    times = {"线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"}
    for number in range(12):
        rows = [{"线索唯一ID": f"L{number}-{i}", **times} for i in range(5)]
        landing.deliver("crm.leads", rows, f"{number}.csv")
    drains = [rivals.start(rival_programs.ingest) for _ in range(2)]
    assert sum(drain.result() for drain in drains) == 12
    row = connection.execute(
        "select count(*), count(distinct file), sum(rows_loaded), (select count(*) from"
        " ledger.parts) from ledger.deliveries"
    ).fetchone()
    assert row == (12, 12, 60, 12)
    parts = f"{settings.lake_url}/raw/crm/leads/*.parquet"
    assert duckdb.sql(f"select count(*) from read_parquet('{parts}')").fetchone() == (60,)


def test_a_run_beside_the_tasks_of_airflow_says_who_builds(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    deliver(connection)
    human = rivals.start(rival_programs.run, pause=True)
    human.wait_for("building")
    tasks = rivals.start(rival_programs.run_tasks, rows=4)
    refusal = tasks.refusal()
    assert "another process is building or publishing in this home: zhongtai run" in refusal
    assert_names(refusal, human)
    human.go_on("building")
    assert human.result() == "published"
    # the retry of the task
    assert rivals.start(rival_programs.run_tasks).result() == "nothing_new"
    assert read_versions(settings, connection) == everywhere(str(current_snapshot(connection)), 3)


def test_a_run_between_two_tasks_publishes_and_the_next_task_says_so(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    deliver(connection)
    tasks = rivals.start(rival_programs.run_tasks, rows=4)
    tasks.wait_for("built")
    deliver(connection, 1)
    human = rivals.start(rival_programs.run, rows=5)
    assert human.result() == "published"
    tasks.go_on("built")
    assert "another build has replaced it" in tasks.refusal()
    assert read_versions(settings, connection) == everywhere(str(current_snapshot(connection)), 5)
    assert rivals.start(rival_programs.run_tasks).result() == "nothing_new"


def test_of_runs_that_start_together_one_publishes_what_all_see(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    deliver(connection)
    together = [rivals.start(rival_programs.run) for _ in range(3)]
    ended = [
        rival.read().get("returned", "refused")
        for rival in together
        if rival.process.join(60) is None
    ]
    assert ended.count("published") == 1, ended
    assert set(ended) <= {"published", "nothing_new", "refused"}
    states = connection.execute("select state from ledger.snapshots").fetchall()
    assert states == [("published",)]


def test_two_publishes_of_one_candidate_flip_once(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    candidate = build_candidate(settings, connection, 4)
    run_id = candidate.run_id
    both = [rivals.start(rival_programs.publish_run, run_id=run_id) for _ in range(2)]
    ids = {rival.result() for rival in both}
    assert ids == {candidate.snapshot_id}
    flips = connection.execute("select count(*) from publication.flips").fetchone()
    assert flips == (1,)
    assert read_versions(settings, connection) == everywhere(candidate.snapshot_id, 4)


def test_a_publisher_that_stands_still_is_named_and_goes_on_later(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    first = publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
    second = build_candidate(settings, connection, 4).snapshot_id
    paused = rivals.start(rival_programs.publish_candidate, snapshot_id=second, stop="flip")
    paused.wait_for("flip")
    refusal = rivals.start(rival_programs.roll_back, snapshot_id=first).refusal()
    assert "another process is publishing: zhongtai publish" in refusal
    assert_names(refusal, paused)
    paused.signal(signal.SIGCONT)
    assert paused.result() == second
    assert read_versions(settings, connection) == everywhere(second, 4)


@pytest.mark.parametrize("stop", ["verify", "flip", "finish", "files"])
def test_a_stale_publisher_changes_nothing_after_another_has_published(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals, stop: str
) -> None:
    publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
    stale_id = build_candidate(settings, connection, 4).snapshot_id
    stale = rivals.start(rival_programs.publish_candidate, snapshot_id=stale_id, stop=stop)
    stale.wait_for(stop)
    end_sessions(connection, stale)
    fresh_id = build_candidate(settings, connection, 5).snapshot_id
    refusal = rivals.start(rival_programs.publish_candidate, snapshot_id=fresh_id).refusal()
    assert "has lost its database session" in refusal
    assert_names(refusal, stale)
    # another host does not see the lock on the file
    (settings.home / "locks" / "zhongtai.publish.lock").unlink()
    fresh = rivals.start(rival_programs.publish_candidate, snapshot_id=fresh_id)
    assert fresh.result() == fresh_id
    assert read_versions(settings, connection) == everywhere(fresh_id, 5)
    stale.signal(signal.SIGCONT)
    assert "the database session of this process ended" in stale.refusal()
    assert read_versions(settings, connection) == everywhere(fresh_id, 5)
    publish.recover(settings)
    assert read_versions(settings, connection) == everywhere(fresh_id, 5)


def test_a_stale_publisher_that_is_killed_gives_way(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
    stale_id = build_candidate(settings, connection, 4).snapshot_id
    stale = rivals.start(rival_programs.publish_candidate, snapshot_id=stale_id, stop="finish")
    stale.wait_for("finish")
    end_sessions(connection, stale)
    stale.kill()
    fresh_id = build_candidate(settings, connection, 5).snapshot_id
    fresh = rivals.start(rival_programs.publish_candidate, snapshot_id=fresh_id)
    assert fresh.result() == fresh_id
    assert read_versions(settings, connection) == everywhere(fresh_id, 5)


def test_a_release_or_an_erasure_beside_a_run_waits_for_another_day(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    shown = publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
    held = build_candidate(settings, connection, 4)
    rival_programs.hold_it(connection, held.snapshot_id)
    deliver(connection)
    human = rivals.start(rival_programs.run, rows=5, pause=True)
    human.wait_for("building")
    for program in (rival_programs.release, rival_programs.erase):
        assert_names(rivals.start(program).refusal(), human)
    assert load_candidate(connection, snapshot_id=held.snapshot_id).verdict == "held"
    assert connection.execute("select count(*) from erasure.erasures").fetchone() == (0,)
    assert read_versions(settings, connection) == everywhere(shown, 3)
    human.go_on("building")
    assert human.result() == "published"
    assert "is not held" in rivals.start(rival_programs.release).refusal()


def test_a_rollback_beside_a_build_is_done_at_once(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    first = publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
    publish.publish(settings, build_candidate(settings, connection, 4).snapshot_id)
    deliver(connection)
    human = rivals.start(rival_programs.run, rows=5, pause=True)
    human.wait_for("building")
    rivals.start(rival_programs.roll_back, snapshot_id=first).result()
    assert read_versions(settings, connection) == everywhere(first, 3)
    human.go_on("building")
    assert human.result() == "published"
    assert read_versions(settings, connection) == everywhere(str(current_snapshot(connection)), 5)


def test_two_merges_at_once_are_one_decision_and_a_hanging_one_is_named(
    settings: Settings, connection: psycopg.Connection, rivals: Rivals
) -> None:
    know_records(settings, "L1", "L2", "L3")
    pair = {"left": "crm:leads:L1", "right": "crm:leads:L2"}
    both = [rivals.start(rival_programs.merge, **pair) for _ in range(2)]
    for rival in both:
        rival.process.join()
    answers = [rival.read() for rival in both]
    assert sorted(key for answer in answers for key in answer) == ["refused", "returned"], answers
    assert "already decided: decision " in next(a["refused"] for a in answers if "refused" in a)
    hanging = rivals.start(
        rival_programs.merge, left="crm:leads:L1", right="crm:leads:L3", pause=True
    )
    hanging.wait_for("deciding")
    refusal = rivals.start(
        rival_programs.merge, left="crm:leads:L2", right="crm:leads:L3"
    ).refusal()
    assert "another process is deciding" in refusal
    assert_names(refusal, hanging)
    hanging.signal(signal.SIGCONT)
    hanging.result()
    assert connection.execute("select count(*) from identity.decisions").fetchone() == (2,)


def know_records(settings: Settings, *keys: str) -> None:
    """A published snapshot that knows these leads."""
    folder = settings.path("published", "profiles")
    folder.mkdir(parents=True)
    with duckdb.connect(folder / "s.duckdb") as profiles:
        for table in ("bridge_user_records", "bridge_organisation_records"):
            profiles.execute(
                f"create table {table} (source varchar, entity varchar, record_key varchar)"
            )
        profiles.executemany(
            "insert into bridge_user_records values ('crm', 'leads', ?)", [[key] for key in keys]
        )
    (folder / "current.duckdb").symlink_to("s.duckdb")


def test_the_holder_of_a_right_is_shown_while_it_has_it(
    connection: psycopg.Connection, rivals: Rivals
) -> None:
    deliver(connection)
    human = rivals.start(rival_programs.run, pause=True)
    human.wait_for("building")
    holder = lock_holder(connection, publisher.WRITER_LOCK)
    assert holder is not None
    assert holder.startswith(f"zhongtai run (process {human.pid} on ")
    human.go_on("building")
    human.result()
    assert lock_holder(connection, publisher.WRITER_LOCK) is None
