"""The processes of a running platform that a test may kill, and who starts them again."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import psycopg

from zhongtai.embedded_server import embedded_server_is_running
from zhongtai.errors import ZhongtaiError
from zhongtai.service import start_services
from zhongtai.service.processes import COMPONENTS, load_services
from zhongtai.settings import Settings

_ATTEMPTS = 5
_TASK_PATIENCE_SECONDS = 240


def kill(settings: Settings, name: str, drawn: random.Random) -> None:
    """Kill a component, the server of PostgreSQL, or any process of a running task."""
    while True:
        try:
            os.kill(_find_victim(settings, name, drawn).pid, signal.SIGKILL)
        except ProcessLookupError:
            # it ended by itself just then, or is on its way up
            time.sleep(0.2)
            continue
        return


def _find_victim(settings: Settings, name: str, drawn: random.Random) -> psutil.Process:
    if name == "postgres":
        pid = settings.path("postgres", "postmaster.pid").read_text().split("\n", 1)[0]
        return psutil.Process(int(pid))
    if name == "task":
        return drawn.choice(_wait_for_tasks(settings))
    services = load_services(settings)
    running = services.running() if services else {}
    if name not in running:
        raise ProcessLookupError(f"{name} is just being started again")
    return running[name]


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


@contextmanager
def supervised(settings: Settings) -> Iterator[None]:
    """While this lasts, whatever is gone is started again soon, as a supervisor of services does.

    Raises what starting raised last where it failed too often in a row.
    """
    stopped = threading.Event()

    def supervise() -> None:
        failures = 0
        while not stopped.wait(1):
            if _is_whole(settings):
                continue
            try:
                start_services(settings, say=lambda _: None)
                failures = 0
            except (ZhongtaiError, psycopg.OperationalError):
                # a child that ends while it starts is started again
                failures += 1
                if failures == _ATTEMPTS:
                    raise

    with ThreadPoolExecutor(1) as supervisor:
        watch = supervisor.submit(supervise)
        try:
            yield
        finally:
            stopped.set()
        watch.result()


def _is_whole(settings: Settings) -> bool:
    services = load_services(settings)
    is_running = services is not None and set(services.running()) == set(COMPONENTS)
    return is_running and embedded_server_is_running(settings)
