"""The ledger: rows add up, ids depend on what was seen, and looks are remembered."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import BalanceError, ConfigurationError
from zhongtai.landing import Delivery, LandedFile
from zhongtai.ledger import Counts, LandingMemory, delivery_id, new_entry, record
from zhongtai.runs import Run, finish_run, start_run
from zhongtai.settings import Settings

from landing_cases import Landing

NOW = datetime(2026, 3, 5, 4, tzinfo=UTC)


@pytest.fixture
def delivery(contracts: Contracts) -> Delivery:
    file = LandedFile("dms/dealers/a.csv", "/landing/dms/dealers/a.csv", 10, NOW)
    return Delivery(contracts["dms.dealers"], file, "")


@pytest.mark.parametrize("counts", [Counts(3, 1, 1, 1), Counts(), Counts(2, duplicate=2)])
def test_rows_that_add_up_pass(counts: Counts) -> None:
    counts.check("a.csv")


@pytest.mark.parametrize("counts", [Counts(3, 1, 1), Counts(0, 1), Counts(1, 1, 1)])
def test_rows_that_do_not_add_up_are_refused(counts: Counts) -> None:
    with pytest.raises(BalanceError, match=r"a\.csv: \d rows in, but"):
        counts.check("a.csv")


def test_nothing_of_an_unbalanced_delivery_is_recorded(
    settings: Settings, run: Run, delivery: Delivery
) -> None:
    entry = new_entry(delivery, "0" * 64, "loaded", Counts(2, 1), NOW)
    with connect(settings) as connection:
        with pytest.raises(BalanceError), connection.transaction():
            record(connection, entry, delivery.contract, run)
        assert connection.execute("select count(*) from ledger.deliveries").fetchone() == (0,)


def test_a_delivery_has_the_same_id_however_often_it_is_seen(delivery: Delivery) -> None:
    again = replace(delivery, file=replace(delivery.file, location="/elsewhere"))
    assert delivery_id(again, "0" * 64) == delivery_id(delivery, "0" * 64)


def test_another_time_path_content_or_marker_is_another_delivery(delivery: Delivery) -> None:
    file = delivery.file
    ids = {
        delivery_id(delivery, "0" * 64),
        delivery_id(delivery, "1" * 64),
        delivery_id(replace(delivery, marker="manifest:1:2:3"), "0" * 64),
        delivery_id(replace(delivery, file=replace(file, label="dms/dealers/b.csv")), "0" * 64),
        delivery_id(
            replace(delivery, file=replace(file, modified_at=NOW + timedelta(seconds=1))), "0" * 64
        ),
    }
    assert len(ids) == 5


def test_a_file_at_rest_is_remembered_until_it_changes(
    settings: Settings, delivery: Delivery
) -> None:
    with connect(settings, autocommit=True) as connection:
        memory = LandingMemory(connection)
        first = memory.unchanged_since(delivery.contract, delivery.file)
        assert memory.unchanged_since(delivery.contract, delivery.file) == first
        grown = replace(delivery.file, bytes=11)
        assert memory.unchanged_since(delivery.contract, grown) > first


def test_a_recorded_file_is_settled_as_it_is_only(
    settings: Settings, run: Run, delivery: Delivery
) -> None:
    contract, file = delivery.contract, delivery.file
    with connect(settings, autocommit=True) as connection:
        memory = LandingMemory(connection)
        assert memory.settled(contract, [file]) == set()
        entry = new_entry(delivery, "0" * 64, "loaded", Counts(), NOW)
        record(connection, entry, contract, run)
        changed = replace(file, modified_at=NOW + timedelta(microseconds=1))
        assert memory.settled(contract, [file]) == {file}
        assert memory.settled(contract, [changed]) == set()


def test_a_file_set_aside_whole_is_known_by_its_marker(
    settings: Settings, run: Run, delivery: Delivery
) -> None:
    contract, file = delivery.contract, delivery.file
    with connect(settings, autocommit=True) as connection:
        memory = LandingMemory(connection)
        entry = new_entry(delivery, "0" * 64, "quarantined", Counts(), NOW)
        record(connection, entry, contract, run)
        assert memory.settled(contract, [file]) == set()
        assert memory.judged(contract, [delivery]) == {file}
        assert memory.judged(contract, [replace(delivery, marker="corrected")]) == set()


def test_times_of_files_survive_the_ledger(settings: Settings, landing: Landing, run: Run) -> None:
    from zhongtai.ingest import drain

    file = landing.deliver("app.events", b"")
    os.utime(file, ns=(0, 1_770_000_000_123_456_789))
    assert drain(settings, landing.contracts, run).deliveries == 1
    assert drain(settings, landing.contracts, run).deliveries == 0


def test_delivered_at_is_the_export_or_the_file_and_never_in_the_future(
    settings: Settings, run: Run
) -> None:
    past, future = run.as_of - timedelta(days=9), run.as_of + timedelta(days=9)
    with connect(settings) as connection:
        for name, modified_at, exported_at in (
            ("exported", future, past),
            ("written", past, None),
            ("clock of the source ahead", past, future),
            ("clock of the file ahead", future, None),
        ):
            connection.execute(
                "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
                " modified_at, exported_at, status, rows_in, rows_loaded, rows_quarantined,"
                " rows_duplicate, contract_hash, as_of, discovered_at, run_id) values (%s, 'crm',"
                " 'leads', %s, '', 1, %s, %s, 'quarantined', 0, 0, 0, 0, '', %s, now(), %s)",
                [name, name, modified_at, exported_at, run.as_of, run.run_id],
            )
        found = dict(
            connection.execute("select file, delivered_at from ledger.deliveries").fetchall()
        )
        loaded_at = connection.execute(
            "select loaded_at from ledger.deliveries where file = 'clock of the file ahead'"
        ).fetchone()
    assert found["exported"] == found["written"] == past
    assert found["clock of the source ahead"] == run.as_of
    assert (found["clock of the file ahead"],) == loaded_at


def test_a_run_records_how_it_ended(settings: Settings) -> None:
    with connect(settings) as connection:
        run = start_run(connection, "ingest", datetime(2026, 3, 5, 8, tzinfo=UTC))
        finish_run(connection, run, "held", "three checks failed")
        found = connection.execute(
            "select command, as_of, status, detail, ended_at is not null from ledger.runs"
        ).fetchall()
    assert found == [("ingest", run.as_of, "held", "three checks failed", True)]


def test_an_as_of_without_a_time_zone_is_refused(settings: Settings) -> None:
    with connect(settings) as connection, pytest.raises(ConfigurationError, match="no time zone"):
        start_run(connection, "ingest", datetime(2026, 3, 5, 8))  # noqa: DTZ001 - the point
