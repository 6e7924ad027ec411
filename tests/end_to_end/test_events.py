"""Airflow's events may be late, stranded or lost: no file is."""

import logging
import os
import signal
import time

import pytest

from zhongtai.database import connect
from zhongtai.service import start_services
from zhongtai.service.processes import load_services
from zhongtai.settings import Settings

from arrival_cases import drop_events, ledger_files, newest_snapshot, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def published_files(settings: Settings) -> set[str]:
    """Files in the ledger as the current snapshot tells its readers."""
    import duckdb

    current = settings.path("published", "metrics", "current.duckdb")
    if not current.exists():
        return set()
    with duckdb.connect(str(current.resolve()), read_only=True) as snapshot:
        return {row[0] for row in snapshot.execute("select file from meta_ledger").fetchall()}


def wait_until_published(settings: Settings, *files: str) -> None:
    wait_for(
        lambda: set(files) <= published_files(settings),
        f"{files} published; ledger {ledger_files(settings)}, snapshot {newest_snapshot(settings)}",
        seconds=480,
    )


def test_two_files_100_ms_apart_are_both_published(airflow_settings: Settings) -> None:
    first = drop_events(airflow_settings, "close-1")
    time.sleep(0.1)
    second = drop_events(airflow_settings, "close-2")
    wait_until_published(airflow_settings, first, second)


def test_files_that_arrive_during_a_build_are_published(airflow_settings: Settings) -> None:
    def builds_now() -> bool:
        with connect(airflow_settings, autocommit=True) as connection:
            row = connection.execute(
                "select count(*) from ledger.runs where status = 'running' and command = 'build'"
            ).fetchone()
        return bool(row and row[0])

    first = drop_events(airflow_settings, "before-build")
    wait_for(builds_now, "a build is running")
    during = []
    for number in range(3):
        during.append(drop_events(airflow_settings, f"during-build-{number}"))
        time.sleep(1)
    wait_until_published(airflow_settings, first, *during)


def test_files_that_arrive_while_the_triggerer_is_dead_are_published(
    airflow_settings: Settings,
) -> None:
    services = load_services(airflow_settings)
    assert services is not None
    triggerer = services.running()["triggerer"]
    os.killpg(triggerer.pid, signal.SIGKILL)
    triggerer.wait(timeout=10)
    while_dead = [drop_events(airflow_settings, f"triggerer-dead-{n}") for n in range(2)]
    time.sleep(2)
    start_services(airflow_settings, say=logging.getLogger(__name__).info)
    wait_until_published(airflow_settings, *while_dead)
