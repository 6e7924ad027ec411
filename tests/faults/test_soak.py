"""Thousands of small files through the real scheduler: none stuck, nothing grows without bound.

An hour or so, so only where it is asked for: ZHONGTAI_SOAK_MINUTES=60 make faults.
"""

import os
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from running_home import published_files, running_home
from soak_files import compare, deliver_all
from soak_memory import MemoryWatch

from zhongtai.contracts import Contracts
from zhongtai.database import database_url
from zhongtai.settings import Settings

MINUTES = float(os.environ.get("ZHONGTAI_SOAK_MINUTES") or 0)
FILES = int(os.environ.get("ZHONGTAI_SOAK_FILES") or MINUTES * 5000 / 60)
# after the last file: one build and one more for what came during it
PATIENCE_SECONDS = 1200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not MINUTES, reason="ZHONGTAI_SOAK_MINUTES says how long it may take"),
]


@pytest.fixture
def soaked() -> Iterator[Settings]:
    with running_home("zt-soak-") as settings:
        yield settings


def count_stuck(settings: Settings) -> int:
    """DAG runs that began long ago and have not ended."""
    url = database_url(settings, "airflow")
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from dag_run where state in ('queued', 'running')"
            " and queued_at < now() - interval '10 minutes'"
        ).fetchone()
    return int(row[0]) if row else 0


def test_thousands_of_small_files_leave_nothing_stuck_and_nothing_growing(
    soaked: Settings, contracts: Contracts, figure: Callable[[str], None]
) -> None:
    with MemoryWatch(soaked) as watch:
        expected = deliver_all(soaked, contracts, FILES, MINUTES)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while published_files(soaked) < FILES and time.monotonic() < deadline:
            time.sleep(5)
    growths = watch.growths()
    wrong, published, stuck = (
        compare(soaked, expected),
        published_files(soaked),
        count_stuck(soaked),
    )
    figure(
        f"soak: {FILES} files in {MINUTES:g} minutes, {published} published, {len(wrong)} files not"
        f" as the ledger should have them, {stuck} stuck runs"
    )
    for growth in growths:
        figure(f"soak: {growth}")
    assert wrong == []
    assert published == FILES
    assert stuck == 0
    assert len(growths) >= 5
    assert [str(growth) for growth in growths if not growth.is_steady] == []
    assert wait_for_cleaning(soaked) == []


def wait_for_cleaning(settings: Settings) -> list[str]:
    """What is kept without a promise; what a publish leaves it removes after readers see it."""
    for _ in range(60):
        kept = count_kept(settings)
        if not kept:
            break
        time.sleep(1)
    return kept


def count_kept(settings: Settings) -> list[str]:
    """What is kept of the past although nobody promised it."""
    most = settings.keep_snapshots
    limits = {
        "published/profiles/*.duckdb": most + 1,
        "published/metrics/*.duckdb": most + 1,
        "published/parquet/2*": most,
        "identity/2*": most,
        "tmp/ingest-*": 0,
    }
    found = {pattern: len(list(settings.home.glob(pattern))) for pattern in limits}
    return [
        f"{p}: {found[p]} instead of {limit}" for p, limit in limits.items() if found[p] > limit
    ]
