"""`kill -9` of Airflow's components, of running tasks and of PostgreSQL while files arrive.

Whoever supervises the processes (here the test) starts again what is gone; nobody does more.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import pytest
from fault_parts import IS_FULL
from fault_services import kill, supervised
from running_home import published_files, running_home
from soak_files import compare, deliver_all
from truth_cases import Home, content_hashes, content_of, tell_differences, temporary_home

from zhongtai.contracts import Contracts
from zhongtai.settings import Settings

from arrival_cases import wait_for
from compose_stack import free_port

ROUNDS = int(os.environ.get("ZHONGTAI_KILLS_ROUNDS") or 4 * IS_FULL)
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
    with running_home("zt-kill-", airflow_port=free_port()) as settings:
        yield settings


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
