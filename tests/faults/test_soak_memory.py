"""What the soak measures is told from noise, and what it expects is what ingestion leaves."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from soak_files import compare, deliver_all
from soak_memory import MEGABYTE, fit

from zhongtai.contracts import Contracts
from zhongtai.ingest import drain
from zhongtai.runs import Run
from zhongtai.settings import Settings

# Says how many bytes of its own it gains by 40 MB of shared memory, and by 40 MB for itself.
HOLDER = """
import mmap
import psutil
from soak_memory import MEGABYTE, own_memory

process = psutil.Process()
before = own_memory(process)
with mmap.mmap(-1, 40 * MEGABYTE) as shared:
    for _ in range(40):
        shared.write(b"s" * MEGABYTE)
    print(own_memory(process) - before)
kept = bytearray(b"k" * (40 * MEGABYTE))
print(own_memory(process) - before)
"""


def samples(gain: float, noise: float) -> list[tuple[float, float]]:
    """An hour of samples that gain so many megabytes in all, after a steep start."""
    draw = random.Random(7)  # noqa: S311
    rows = [(float(at), 300 + gain * at / 3600 + draw.gauss(0, noise)) for at in range(0, 3600, 3)]
    return [(at, (size - max(0, 60 - at / 10)) * MEGABYTE) for at, size in rows]


@pytest.mark.parametrize(("gain", "noise"), [(0, 0), (0, 30), (8, 5)])
def test_a_process_that_only_breathes_is_steady(gain: float, noise: float) -> None:
    assert fit("scheduler", samples(gain, noise)).is_steady


@pytest.mark.parametrize(("gain", "noise"), [(60, 0), (60, 30), (200, 50)])
def test_a_process_that_grows_is_not_steady(gain: float, noise: float) -> None:
    assert not fit("scheduler", samples(gain, noise)).is_steady


def test_what_is_expected_of_the_ledger_is_what_ingestion_leaves(
    settings: Settings, contracts: Contracts, run: Run
) -> None:
    expected = deliver_all(settings, contracts, 33, 0)
    assert len(compare(settings, expected)) >= 33
    drain(settings, contracts, run)
    assert compare(settings, expected) == []


def test_memory_made_to_be_shared_is_nobodys_own() -> None:
    # A process of its own: in this one other tests left a heap that grows and shrinks by itself.
    told = subprocess.run(
        [sys.executable, "-c", HOLDER],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shared, kept = (int(word) / MEGABYTE for word in told.split())
    assert abs(shared) < 10
    assert kept > 30
