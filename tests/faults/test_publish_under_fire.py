"""Readers of both stores while snapshots are published and publishers are killed."""

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import rival_programs
from fault_parts import IS_FULL
from rivals import Rival, Rivals, rivals_in

from zhongtai import publish
from zhongtai.database import connect
from zhongtai.publish import publisher
from zhongtai.publish.postgres_store import current_snapshot
from zhongtai.settings import Settings

from publish_cases import build_candidate, everywhere, read_versions


def start_readers(rivals: Rivals, readers: int, pause: float) -> list[Rival]:
    """Half of them on each store, at work when this returns; each waits `pause` s between reads."""
    started = [
        rivals.start(
            rival_programs.read_on_and_on, store=("postgres", "duckdb")[i % 2], pause=pause
        )
        for i in range(readers)
    ]
    for reader in started:
        reader.wait_for("reading")
    return started


def wait_for_its_sessions(connection: psycopg.Connection, killed: Rival) -> None:
    """Wait until the server has seen that its client is gone; until then its locks are held."""
    for _ in range(200):
        left = connection.execute(
            "select count(*) from pg_stat_activity where application_name like %s",
            [f"%(process {killed.pid} on %"],
        ).fetchone()
        if left == (0,):
            return
        time.sleep(0.05)
    raise AssertionError(f"sessions of process {killed.pid} are still there after 10 s")


def publish_under_fire(
    rivals: Rivals, connection: psycopg.Connection, first: int, last: int, kills: int
) -> list[float]:
    """Publish until all are; returns how long each flip of PostgreSQL took, in seconds."""
    chance = random.Random(last)  # noqa: S311  # no secret
    flips: list[float] = []
    done = first - 1
    while done < last:
        rival = rivals.start(rival_programs.publish_on_and_on, first=done + 1, last=last)
        if kills:
            kills -= 1
            rival.wait_for(f"published-{done + 1}")
            time.sleep(chance.uniform(0, 0.7))
            rival.kill()
            wait_for_its_sessions(connection, rival)
        else:
            rival.process.join()
            rival.result()
        lines = (rival.folder / "flips.txt").read_text().splitlines()
        flips += [float(s) for name, s in map(str.split, lines) if name == "_flip_postgres"]
        done = max(int(f.name.split("-")[1]) for f in rival.folder.glob("published-*"))
    assert kills == 0, "it was over before all kills"
    return flips


@pytest.mark.slow
# 200 publishes take longer than an hour; the mark counts for more than what the command says
@pytest.mark.timeout(4 * 3600 if IS_FULL else 3600)
def test_readers_see_one_snapshot_that_passed_and_never_an_error(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
    figure: Callable[[str], None],
) -> None:
    # sixteen that read without a pause would measure the queue for two processors
    readers, pause, publishes, kills = (16, 0.8, 200, 20) if is_full else (4, 0.04, 15, 3)
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with (
        connect(settings, autocommit=True) as connection,
        rivals_in(settings, tmp_path / "rivals") as rivals,
    ):
        first = publish.publish(settings, build_candidate(settings, connection, 1).snapshot_id)
        started = start_readers(rivals, readers, pause)
        flips = publish_under_fire(rivals, connection, 2, publishes + 1, kills)
        rollbacks = roll_back_and_forth(settings, connection)
        for reader in started:
            (reader.folder / "end").touch()
        found = [reader.result() for reader in started]
        passed = {first} | {
            row[0]
            for row in connection.execute(
                "select snapshot_id from ledger.gate_verdicts group by 1"
                " having bool_and(verdict <> 'held')"
            )
        }
        last = current_snapshot(connection)
        assert read_versions(settings, connection) == everywhere(str(last), publishes + 1)
    wrong = [one for reader in found for one in reader["wrong"]]
    ungated = {snapshot for reader in found for snapshot in reader["seen"]} - passed
    p99 = statistics.quantiles(flips, n=100)[98]
    figure(
        f"publish under fire: {readers} readers on both stores, {len(flips)} publishes, {kills}"
        f" kills, {sum(r['reads'] for r in found)} reads: {len(wrong)} errors or mixed reads,"
        f" {len(ungated)} ungated; flip p50 {statistics.median(flips) * 1000:.0f} ms, p99"
        f" {p99 * 1000:.0f} ms; slowest of {len(rollbacks)} rollbacks {max(rollbacks):.2f} s"
    )
    assert wrong == []
    assert ungated == set()
    assert len(flips) >= publishes - kills
    assert p99 < 0.2
    assert max(rollbacks) <= 1


def roll_back_and_forth(settings: Settings, connection: psycopg.Connection) -> list[float]:
    """Seconds that rollbacks took, while readers read; the last snapshot is shown at the end."""
    last = str(current_snapshot(connection))
    earlier = next(s for s in publisher.list_complete(settings, connection) if s != last)
    taken = []
    for snapshot_id in (earlier, last) * 3:
        started = time.perf_counter()
        publish.rollback(settings, snapshot_id)
        taken.append(time.perf_counter() - started)
    return taken


def test_a_partition_that_is_detached_and_not_dropped_hinders_no_later_publish(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with connect(settings, autocommit=True) as connection:
        publish.publish(settings, build_candidate(settings, connection, 2).snapshot_id)
        row = connection.execute(
            "select part_name from publication.parts where table_name = 'dim_series'"
        ).fetchone()
        last = publish.publish(settings, build_candidate(settings, connection, 3).snapshot_id)
        assert row is not None
        connection.execute(
            f'alter table metrics_data.dim_series detach partition metrics_data."{row[0]}"'.encode()
        )
        last = publish.publish(settings, build_candidate(settings, connection, 4).snapshot_id)
        assert read_versions(settings, connection) == everywhere(last, 4)


def test_a_clean_up_that_was_cut_off_hinders_no_later_publish(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with (
        connect(settings, autocommit=True) as connection,
        connect(settings, autocommit=True) as reader,
    ):

        def publish_rows(rows: int) -> str:
            return publish.publish(
                settings, build_candidate(settings, connection, rows).snapshot_id
            )

        ids = [publish_rows(rows) for rows in (2, 3, 4)]
        row = connection.execute(
            "select part_name from publication.parts where table_name = 'dim_series'"
            " and snapshot_id = %s",
            [ids[1]],
        ).fetchone()
        assert row is not None
        with reader.transaction():
            reader.execute("select count(*) from metrics.dim_series")
            connection.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(
                    "alter table metrics_data.dim_series"
                    f' detach partition metrics_data."{row[0]}" concurrently'.encode()
                )
            connection.execute("reset lock_timeout")
        # the first makes room, while a partition of the second is half detached
        ids.append(publish_rows(5))
        assert read_versions(settings, connection) == everywhere(ids[3], 5)
        assert ids[0] not in publisher.list_complete(settings, connection)


def test_a_long_transaction_goes_on_with_the_snapshot_of_its_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with (
        connect(settings, autocommit=True) as connection,
        connect(settings, autocommit=True) as reader,
    ):

        def publish_rows(rows: int) -> str:
            return publish.publish(
                settings, build_candidate(settings, connection, rows).snapshot_id
            )

        ids = [publish_rows(2), publish_rows(3)]
        with reader.transaction():
            reader.execute("set transaction isolation level repeatable read")
            seen = reader.execute("select count(*) from metrics.metrics_lead_funnel_daily")
            assert seen.fetchone() == (3,)
            ids += [publish_rows(rows) for rows in (4, 5, 6, 7)]
            # a table that the transaction has not touched before
            seen = reader.execute("select count(*), min(snapshot_id) from profiles.dim_users")
            assert seen.fetchone() == (3, ids[1])
            assert ids[0] not in publisher.list_complete(settings, connection)
        publish_rows(8)
        assert ids[1] not in publisher.list_complete(settings, connection)
        assert len(publisher.list_complete(settings, connection)) == settings.keep_snapshots
