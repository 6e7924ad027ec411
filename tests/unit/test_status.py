"""What `zhongtai status` reads."""

from collections.abc import Iterator

import psycopg
import pytest

from zhongtai.database import connect
from zhongtai.locks import exclusive_lock
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.status import read_status

from publish_cases import build_candidate


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


def test_status_names_what_readers_see_and_what_a_rollback_can_show(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    ids = [
        publisher.publish_candidate(
            settings, connection, build_candidate(settings, connection, rows)
        )
        for rows in (2, 3)
    ]
    found = read_status(settings)
    assert found.current is not None
    assert found.current.snapshot_id == ids[1]
    assert set(found.shown.values()) == {ids[1]}
    assert list(found.rollback_choices) == [ids[1], ids[0]]
    assert not found.is_held
    settings.path("published", "metrics", "current.duckdb").unlink()
    assert read_status(settings).shown["duckdb_metrics"] is None


def test_status_names_the_writer_at_work(
    settings: Settings, connection: psycopg.Connection
) -> None:
    assert read_status(settings).writer is None
    connection.execute("set application_name = 'zhongtai build'")
    with exclusive_lock(settings, connection, publisher.WRITER_LOCK, "building"):
        writer = read_status(settings).writer
    assert writer is not None
    assert writer.startswith("zhongtai build")


def test_status_counts_what_a_build_refused_as_the_published_ledger_does(
    settings: Settings, connection: psycopg.Connection, run: Run
) -> None:
    connection.execute(
        "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
        " modified_at, status, rows_in, rows_loaded, rows_quarantined, rows_duplicate,"
        " contract_hash, as_of, discovered_at, run_id) values ('d', 'crm', 'manual_tags', 'a.csv',"
        " 'h', 1, now(), 'loaded', 5, 5, 0, 0, 'c', now(), now(), %s)",
        [run.run_id],
    )
    assert read_status(settings).totals["rows_loaded"] == 5
    connection.execute("create schema if not exists metrics")
    connection.execute(
        "create table metrics.meta_quarantine_daily as select 'crm' as source,"
        " 'manual_tags' as entity, 'row' as level, 'shared_value' as rule, 2::bigint as rows;"
        " grant select on metrics.meta_quarantine_daily to bi_reader"
    )
    found = read_status(settings)
    (tags,) = (row for row in found.entities if row["entity"] == "manual_tags")
    for counted in (tags, found.totals):
        rows = [counted[f"rows_{name}"] for name in ("in", "loaded", "quarantined")]
        assert rows == [5, 3, 2]
    assert [(row["rule"], row["rows"]) for row in found.quarantine] == [("shared_value", 2)]
