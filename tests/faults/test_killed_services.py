"""`kill -9` of Airflow's components, of running tasks and of PostgreSQL while files arrive.

Whoever supervises the processes (here the test) starts again what is gone; nobody does more.
"""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import duckdb
import pytest
from fault_services import kill, supervised
from soak_files import compare, deliver_all
from truth_cases import Home, content_hashes, content_of, tell_differences, temporary_home

from zhongtai.contracts import Contracts
from zhongtai.service import start_services, stop_services
from zhongtai.settings import Settings, load_settings

from arrival_cases import wait_for
from compose_stack import free_port

ROUNDS = int(
    os.environ.get("ZHONGTAI_KILLS_ROUNDS") or 4 * (os.environ.get("ZHONGTAI_FAULTS") == "full")
)
SEED = int(os.environ.get("ZHONGTAI_KILLS_SEED") or 1)
# a task is killed twice, in whatever step it is
VICTIMS = ("scheduler", "task", "postgres", "triggerer", "api-server", "dag-processor", "task")
FILES = 6  # for each that is killed
PATIENCE_SECONDS = 900

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not ROUNDS, reason="make faults kills services; ZHONGTAI_KILLS_ROUNDS too"),
]


@pytest.fixture
def platform() -> Iterator[Settings]:
    """A home with a running Airflow, stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="zt-kill-", dir="/tmp"))
    settings = load_settings(
        home=home, airflow_port=free_port(), stable_seconds=1, sweep_minutes=1, memory_limit="2GB"
    )
    try:
        start_services(settings, say=lambda _: None)
        yield settings
    finally:
        stop_services(settings)
        shutil.rmtree(home, ignore_errors=True)


def published_files(settings: Settings) -> int:
    """How many files the current snapshot tells of."""
    current = settings.path("published", "metrics", "current.duckdb")
    if not current.exists():
        return 0
    with duckdb.connect(str(current.resolve()), read_only=True) as snapshot:
        return int(snapshot.execute("select count(*) from meta_ledger").fetchall()[0][0])


def test_whatever_is_killed_while_files_arrive_all_are_published_as_if_nothing_had_been(
    platform: Settings, contracts: Contracts, figure: Callable[[str], None]
) -> None:
    drawn = random.Random(SEED)  # noqa: S311  # moments, not secrets
    victims = [name for _ in range(ROUNDS) for name in drawn.sample(VICTIMS, len(VICTIMS))]
    files, killed = FILES * len(victims), []
    with supervised(platform), ThreadPoolExecutor(1) as shore:
        delivery = shore.submit(deliver_all, platform, contracts, files, 0.4 * len(victims))
        for name in victims:
            time.sleep(drawn.uniform(5, 20))
            kill(platform, name, drawn)
            killed.append(name)
        expected = delivery.result()
        wait_for(lambda: published_files(platform) == files, f"{files} files", PATIENCE_SECONDS)
    assert compare(platform, expected) == []
    home = Home(platform.home)
    (snapshot,) = home.snapshots()
    with home.open() as connection:
        ((as_of,),) = connection.execute(
            f"select as_of from metrics.meta_snapshots where snapshot_id = '{snapshot}'"
        ).fetchall()
    with temporary_home() as other:
        moment = as_of.replace(tzinfo=UTC).isoformat()
        done = other.run_all(Path(platform.landing_url), moment)
        assert done.returncode == 0, done.stdout + done.stderr
        left, right = content_of(home), content_of(other)
    for content in (left, right):
        # it tells since when each tag is published, and only one of them published in between
        del content["profiles.fct_user_tags"]
    assert content_hashes(left) == content_hashes(right), tell_differences(left, right)
    figure(f"killed while {files} files arrived, seed {SEED}: {', '.join(killed)}")
