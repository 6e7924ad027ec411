"""The embedded PostgreSQL: whether it runs, and that it starts again after it was killed."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from zhongtai.database import connect, embedded_server_is_running, stop_embedded_server
from zhongtai.settings import Settings, load_settings


@pytest.fixture
def home() -> Iterator[Settings]:
    """A home that a server of another user can reach; pytest closes its own folders to others."""
    folder = Path(tempfile.mkdtemp(prefix="zt-"))
    settings = load_settings(home=folder, database_url="")
    yield settings
    stop_embedded_server(settings)
    shutil.rmtree(folder, ignore_errors=True)


def name_process(settings: Settings, pid: int | str) -> None:
    """Leave a pid as a server that was killed leaves it."""
    file = settings.path("postgres", "postmaster.pid")
    file.parent.mkdir(exist_ok=True)
    lines = file.read_text().splitlines() if file.exists() else [""] * 8
    file.write_text("\n".join([str(pid), *lines[1:]]))


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1, ""], ids=["ours", "free", "none"])
def test_a_pid_that_is_nobodys_or_another_programs_is_no_running_server(
    home: Settings, pid: int | str
) -> None:
    assert not embedded_server_is_running(home)
    name_process(home, pid)
    assert not embedded_server_is_running(home)
    assert stop_embedded_server(home) is False


@pytest.mark.slow
def test_a_killed_server_starts_again_though_another_program_has_its_pid(home: Settings) -> None:
    with connect(home) as connection:
        connection.execute("create table kept (number integer)")
    assert embedded_server_is_running(home)
    postmaster = psutil.Process(int(home.path("postgres", "postmaster.pid").read_text().split()[0]))
    others = postmaster.children()
    os.kill(postmaster.pid, signal.SIGKILL)
    psutil.wait_procs([postmaster, *others], timeout=10)
    name_process(home, os.getpid())
    assert not embedded_server_is_running(home)
    with connect(home) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
