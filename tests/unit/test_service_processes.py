"""What stops with a home's services, and what does not."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from zhongtai.service import stop_services
from zhongtai.settings import Settings

WORKER = "airflow worker -- LocalExecutor: <idle>"
Start = Callable[[str, Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process under a title, as a leader of its own group in a folder."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(title: str, folder: Path) -> "subprocess.Popen[bytes]":
        folder.mkdir(parents=True, exist_ok=True)
        sleeper = ["bash", "-c", f"exec -a '{title}' sleep 600"]
        begun.append(subprocess.Popen(sleeper, cwd=folder, start_new_session=True))
        while psutil.Process(begun[-1].pid).cmdline()[:1] != [title]:
            time.sleep(0.01)
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.wait()


def test_what_a_killed_scheduler_left_behind_stops_too(
    settings: Settings, tmp_path: Path, start: Start
) -> None:
    ours = settings.path("airflow")
    worker = start(WORKER, ours)
    of_another_home, shell = start(WORKER, tmp_path / "other" / "airflow"), start("bash", ours)
    assert stop_services(settings, database=False) == []
    assert not psutil.pid_exists(worker.pid)
    assert (of_another_home.poll(), shell.poll()) == (None, None)
