"""A publisher that dies anywhere leaves stores that the next run brings to one snapshot."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from zhongtai import publish
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.locks import exclusive_lock
from zhongtai.publish import duckdb_store, parquet_store, postgres_store, publisher, snapshots
from zhongtai.publish.postgres_store import StalePublisherError
from zhongtai.settings import Settings

from publish_cases import (
    build_candidate,
    everywhere,
    read_versions,
    visible_files,
)

STEPS = [
    (snapshots, "record"),
    (duckdb_store, "stage"),
    (duckdb_store, "verify"),
    (postgres_store, "stage"),
    (parquet_store, "stage"),
    (publisher, "commit_identity"),
    (postgres_store, "move_pointer"),
    (publisher, "_finish"),
    (duckdb_store, "flip"),
    (parquet_store, "flip"),
    (snapshots, "set_current"),
    (publisher, "collect_garbage"),
]


@pytest.fixture(autouse=True)
def no_identity_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


def publish_rows(settings: Settings, connection: psycopg.Connection, n: int) -> str:
    candidate = build_candidate(settings, connection, n)
    return publisher.publish_candidate(settings, connection, candidate)


def assert_one_version(
    settings: Settings, connection: psycopg.Connection, snapshot_id: str, rows: int
) -> None:
    assert read_versions(settings, connection) == everywhere(snapshot_id, rows)
    states = dict(connection.execute("select snapshot_id, state from ledger.snapshots").fetchall())
    assert states.pop(snapshot_id) == "published"
    assert set(states.values()) <= {"superseded", "abandoned"}


def assert_no_leftovers(settings: Settings, connection: psycopg.Connection) -> None:
    kept = set(publisher.list_complete(settings, connection))
    assert postgres_store.list_snapshots(connection) == kept
    assert duckdb_store.list_snapshots(settings) == kept
    assert parquet_store.list_snapshots(settings) == kept
    tables = connection.execute(
        "select count(*) from pg_class where relispartition and relkind = 'r'"
        " and relnamespace in ('metrics_data'::regnamespace, 'profiles_data'::regnamespace)"
    ).fetchone()
    parts = connection.execute("select count(*) from publication.parts").fetchone()
    assert tables == parts


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=[name for _, name in STEPS])
def test_a_fault_at_any_step_converges(
    settings: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[object, str],
    after: bool,
) -> None:
    module, name = step
    first = publish_rows(settings, connection, 3)
    candidate = build_candidate(settings, connection, 4)
    real = getattr(module, name)

    def faulty(*args: object) -> object:
        if after:
            real(*args)
        raise OSError("injected")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, faulty)
        with pytest.raises(OSError, match="injected"):
            publisher.publish_candidate(settings, connection, candidate)
    publish.recover(settings)
    shown = postgres_store.current_snapshot(connection)
    assert shown in (first, candidate.snapshot_id)
    assert_one_version(settings, connection, shown, 4 if shown == candidate.snapshot_id else 3)
    assert_no_leftovers(settings, connection)
    assert publisher.publish_candidate(settings, connection, candidate) == candidate.snapshot_id
    assert_one_version(settings, connection, candidate.snapshot_id, 4)
    assert_no_leftovers(settings, connection)


def test_a_stale_publisher_changes_nothing(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_rows(settings, connection, 3)
    second = publish_rows(settings, connection, 4)
    candidate = build_candidate(settings, connection, 5)

    def overtake(_: Settings, __: str) -> None:
        with connect(settings, autocommit=True) as other:
            postgres_store.move_pointer(other, first, second, "somebody else")

    monkeypatch.setattr(publisher, "commit_identity", overtake)
    with pytest.raises(StalePublisherError, match=f"readers see {first}"):
        publisher.publish_candidate(settings, connection, candidate)
    assert_one_version(settings, connection, first, 3)
    assert_no_leftovers(settings, connection)


def test_two_publishers_exclude_each_other(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = build_candidate(settings, connection, 3)
    with (
        connect(settings, autocommit=True) as other,
        exclusive_lock(settings, other, publisher.LOCK, "publishing"),
        pytest.raises(ZhongtaiError, match="another process is publishing"),
        exclusive_lock(settings, connection, publisher.LOCK, "publishing", wait_seconds=0.3),
    ):
        pytest.fail("both held the lock")
    assert publisher.publish_candidate(settings, connection, candidate) == candidate.snapshot_id


def test_rollback_shows_the_earlier_snapshot_within_a_second(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = publish_rows(settings, connection, 3)
    second = publish_rows(settings, connection, 4)
    started = time.perf_counter()
    publish.rollback(settings, first)
    assert time.perf_counter() - started < 1
    assert_one_version(settings, connection, first, 3)
    third = publish_rows(settings, connection, 5)
    assert_one_version(settings, connection, third, 5)
    publish.rollback(settings, second)
    assert_one_version(settings, connection, second, 4)


def test_a_rollback_that_dies_halfway_is_finished(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_rows(settings, connection, 3)
    publish_rows(settings, connection, 4)

    def die(*_: object) -> None:
        raise OSError("injected")

    with monkeypatch.context() as patch:
        patch.setattr(duckdb_store, "flip", die)
        # the recovery at the start of a rollback flips as well: let that one pass
        patch.setattr(publisher, "recover", lambda *_: [])
        with pytest.raises(OSError, match="injected"):
            publish.rollback(settings, first)
    publish.recover(settings)
    assert_one_version(settings, connection, first, 3)


def test_rollback_to_what_is_not_kept_lists_the_choices(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = publish_rows(settings, connection, 3)
    with pytest.raises(ZhongtaiError, match="is not kept") as refused:
        publish.rollback(settings, "20200101T000000Z-00000000")
    assert first in refused.value.hint


def test_the_last_three_are_kept_everywhere_and_the_current_one_always(
    settings: Settings, connection: psycopg.Connection
) -> None:
    ids = [publish_rows(settings, connection, n) for n in range(2, 6)]
    assert visible_files(settings.path("published", "metrics")) == {
        "current.duckdb",
        *(f"{s}.duckdb" for s in ids[-3:]),
    }
    assert_no_leftovers(settings, connection)
    assert sorted(publisher.list_complete(settings, connection)) == sorted(ids[-3:])
    publish.rollback(settings, ids[1])
    narrow = settings.model_copy(update={"keep_snapshots": 1})
    publish.recover(narrow)
    assert publisher.list_complete(narrow, connection) == [ids[1]]
    assert_one_version(settings, connection, ids[1], 3)


def test_equal_input_is_nothing_new_even_after_a_rollback(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = publish_rows(settings, connection, 3)
    second = publish_rows(settings, connection, 4)
    publish.rollback(settings, first)
    for fingerprint, expected in (("input 3", first), ("input 4", second)):
        found = snapshots.is_nothing_new(connection, fingerprint)
        assert found is not None
        assert found.snapshot_id == expected
    assert snapshots.is_nothing_new(connection, "input 5") is None


def test_a_reader_holding_an_old_partition_does_not_fail_the_publish(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for n in (2, 3, 4):
        publish_rows(settings, connection, n)
    with connect(settings) as reader:
        reader.execute("select count(*) from metrics.dim_series").fetchone()
        last = publish_rows(settings, connection, 5)
        assert len(postgres_store.list_snapshots(connection)) == 4
    publish.recover(settings)
    assert_one_version(settings, connection, last, 5)
    assert_no_leftovers(settings, connection)


def test_readers_see_one_version_in_a_query_and_never_fail(
    settings: Settings, connection: psycopg.Connection
) -> None:
    publish_rows(settings, connection, 3)
    stop, seen, problems = threading.Event(), set(), []

    def read() -> None:
        with connect(settings, autocommit=True) as reader:
            while not stop.is_set():
                try:
                    row = reader.execute(
                        "select (select count(*) from metrics.metrics_lead_funnel_daily),"
                        " (select count(*) from profiles.dim_users)"
                    ).fetchone()
                except psycopg.Error as error:
                    problems.append(repr(error))
                    continue
                seen.add(row)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for n in (4, 5, 6, 7):
        publish_rows(settings, connection, n)
    stop.set()
    for thread in readers:
        thread.join()
    assert problems == []
    assert {a == b for a, b in seen} == {True}
    assert len(seen) >= 3
