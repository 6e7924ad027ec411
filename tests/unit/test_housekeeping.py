"""What nobody needs any more goes; what is history stays."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from raw_parts import deliver
from zhongtai import housekeeping
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.housekeeping import Tidied, tidy
from zhongtai.runs import finish_run, start_run
from zhongtai.settings import Settings

LATER = datetime.now(UTC) + timedelta(days=91)


def write_log(settings: Settings, name: str, text: str = "line\n", *, days_old: int = 0) -> Path:
    file = settings.path("logs", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    at = (datetime.now(UTC) - timedelta(days=days_old)).timestamp()
    os.utime(file, (at, at))
    return file


def test_old_runs_that_left_nothing_behind_go_with_the_results_of_models(
    settings: Settings, contracts: Contracts
) -> None:
    with connect(settings, autocommit=True) as connection:
        idle, loading = (start_run(connection, "ingest") for _ in range(2))
        building = start_run(connection, "build")
        deliver(settings, loading, contracts["crm.leads"], [{"线索唯一ID": "L1"}], file="a.csv")
        for run in (idle, loading, building):
            finish_run(connection, run, "done")
        connection.execute(
            "insert into ledger.node_results (run_id, node, resource_type, status, seconds)"
            " values (%s, 'model.a', 'model', 'success', 1)",
            [building.run_id],
        )
        at_work = start_run(connection, "ingest")
        assert tidy(settings, connection) == Tidied(0, 0, 0)
        assert tidy(settings, connection, LATER) == Tidied(0, 1, 2)
        left = {row[0] for row in connection.execute("select run_id from ledger.runs")}
        assert left == {loading.run_id, at_work.run_id}


def test_old_logs_go_and_folders_that_were_empty_long(settings: Settings) -> None:
    write_log(settings, "airflow/dag/run/task.log", days_old=91)
    fresh = write_log(settings, "dbt.log", days_old=89)
    empty = settings.path("logs", "airflow", "empty")
    empty.mkdir()
    os.utime(empty, (0, 0))
    with connect(settings, autocommit=True) as connection:
        assert tidy(settings, connection).logs == 1
    assert [f for f in settings.path("logs").rglob("*") if f.is_file()] == [fresh]
    assert not empty.exists()


def test_of_a_long_log_the_last_lines_stay_and_its_writer_goes_on(
    settings: Settings, monkeypatch
) -> None:
    monkeypatch.setattr(housekeeping, "MOST_LOG_BYTES", 1000)
    monkeypatch.setattr(housekeeping, "_KEPT_LOG_BYTES", 100)
    file = write_log(settings, "scheduler.log", "".join(f"line {n}\n" for n in range(1000)))
    with file.open("a") as writer, connect(settings, autocommit=True) as connection:
        assert tidy(settings, connection).logs == 0
        writer.write("one more\n")
    lines = file.read_text().splitlines()
    assert file.stat().st_size < 120
    assert lines[-2:] == ["line 999", "one more"]
    assert all(line.startswith("line ") for line in lines[:-1])


def test_who_publishes_may_tidy(settings: Settings) -> None:
    with connect(settings, autocommit=True) as connection:
        finish_run(connection, start_run(connection, "ingest"), "done")
    with connect(settings.acting_as("publisher"), autocommit=True) as connection:
        assert tidy(settings, connection, LATER) == Tidied(0, 0, 1)
