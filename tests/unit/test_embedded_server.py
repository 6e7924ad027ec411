"""The embedded PostgreSQL: whether it runs, and that it starts again after it was killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from zhongtai import embedded_server
from zhongtai.database import connect
from zhongtai.embedded_server import embedded_server_is_running, stop_embedded_server
from zhongtai.errors import ZhongtaiError
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
    folder = settings.path("postgres")
    folder.mkdir(exist_ok=True)
    for file in (folder / "postmaster.pid", *folder.glob(".s.PGSQL.*.lock")):
        lines = file.read_text().splitlines() if file.exists() else [""] * 8
        file.write_text("\n".join([str(pid), *lines[1:]]))


def postmaster_of(settings: Settings) -> psutil.Process:
    return psutil.Process(int(settings.path("postgres", "postmaster.pid").read_text().split()[0]))


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
    postmaster = postmaster_of(home)
    others = postmaster.children()
    os.kill(postmaster.pid, signal.SIGKILL)
    psutil.wait_procs([postmaster, *others], timeout=10)
    name_process(home, os.getpid())
    assert not embedded_server_is_running(home)
    with connect(home) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


@pytest.mark.slow
def test_a_killed_server_starts_again_though_nobody_took_note_of_its_end(home: Settings) -> None:
    with connect(home):
        postmaster = postmaster_of(home)
    os.kill(postmaster.pid, signal.SIGKILL)
    psutil.wait_procs([postmaster], timeout=10)
    # a child that has ended stays as a zombie until its parent asks how
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        name_process(home, ended.pid)
        with connect(home) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.slow
def test_no_server_starts_beside_what_a_killed_one_left_running(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_server, "REMAINS_SECONDS", 1.0)
    with connect(home) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        postmaster = postmaster_of(home)
        os.kill(backend.pid, signal.SIGSTOP)
        os.kill(postmaster.pid, signal.SIGKILL)
        psutil.wait_procs([postmaster], timeout=10)
        with (
            pytest.raises(ZhongtaiError, match=rf"was killed.*\b{backend.pid}\b"),
            connect(home),
        ):
            pass
        os.kill(backend.pid, signal.SIGCONT)
        with connect(home) as other:
            assert other.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["all", "ours"])
def test_a_home_starts_although_making_its_database_was_killed(home: Settings, whose: str) -> None:
    code = (
        "from zhongtai.database import database_url; from zhongtai.settings import load_settings;"
        f" database_url(load_settings(home={str(home.home)!r}, database_url=''))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as maker:
        # the directories of the data are there, their content is not
        while not home.path("postgres", "PG_VERSION").exists():
            assert maker.poll() is None
            time.sleep(0.002)
        helpers = psutil.Process(maker.pid).children(recursive=True)
        for process in (psutil.Process(maker.pid), *(helpers if whose == "all" else ())):
            process.kill()
    assert helpers
    with connect(home) as connection:
        connection.execute("create table kept (number integer)")
    stop_embedded_server(home)
    with connect(home) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
