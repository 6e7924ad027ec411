"""The processes of a running platform that a test may kill, and who starts them again."""

import os
import random
import signal
import time

import psutil
import psycopg

from zhongtai.errors import ZhongtaiError
from zhongtai.service import start_services
from zhongtai.service.processes import load_services
from zhongtai.settings import Settings

_ATTEMPTS = 5
_TASK_PATIENCE_SECONDS = 240


def kill(settings: Settings, name: str, drawn: random.Random) -> None:
    """Kill a component, the server of PostgreSQL, or any process of a running task."""
    while True:
        try:
            os.kill(_find_victim(settings, name, drawn).pid, signal.SIGKILL)
        except ProcessLookupError:
            # a task that ended by itself just then: another one
            continue
        return


def _find_victim(settings: Settings, name: str, drawn: random.Random) -> psutil.Process:
    if name == "postgres":
        pid = settings.path("postgres", "postmaster.pid").read_text().split("\n", 1)[0]
        return psutil.Process(int(pid))
    if name == "task":
        return drawn.choice(_wait_for_tasks(settings))
    services = load_services(settings)
    assert services is not None
    return services.running()[name]


def _wait_for_tasks(settings: Settings) -> list[psutil.Process]:
    deadline = time.monotonic() + _TASK_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        services = load_services(settings)
        scheduler = services.running().get("scheduler") if services else None
        family = scheduler.children(recursive=True) if scheduler else []
        # a task is a grandchild: the executor's worker watches over it
        workers = {process.pid for process in (scheduler.children() if scheduler else [])}
        tasks = [process for process in family if process.pid not in workers]
        if tasks:
            return tasks
        time.sleep(0.2)
    raise AssertionError(f"no task ran within {_TASK_PATIENCE_SECONDS} s")


def restart(settings: Settings) -> None:
    """Start what is gone, again and again, as a supervisor does whose child ends while starting."""
    for attempt in range(_ATTEMPTS):
        try:
            start_services(settings, say=lambda _: None)
        except (ZhongtaiError, psycopg.OperationalError):
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return
