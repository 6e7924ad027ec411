"""The services of a home take a free port, and never another home's Airflow for their own."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from typer.testing import CliRunner

from zhongtai.cli import app
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.service import airflow, processes
from zhongtai.service.airflow import choose_port
from zhongtai.service.processes import (
    HEALTH_KEYS,
    Services,
    Started,
    is_healthy,
    listens,
    start_services,
)
from zhongtai.settings import Settings


class _HealthyAirflow(BaseHTTPRequestHandler):
    """Answers as the API server of an Airflow that is well."""

    def do_GET(self) -> None:  # the name that http.server calls
        """Say that all is well."""
        self.send_response(200)
        self.end_headers()
        states = ", ".join(f'"{key}": {{"status": "healthy"}}' for key in processes.HEALTH_KEYS)
        self.wfile.write(f"{{{states}}}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other() -> Iterator[int]:
    """The port of another home's Airflow."""
    server = HTTPServer(("127.0.0.1", 0), _HealthyAirflow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def idle() -> Iterator[Started]:
    """A process that runs and listens nowhere."""
    with psutil.Popen(["sleep", "60"]) as process:
        yield Started(process.pid, process.create_time())
        process.kill()


def test_a_taken_port_is_passed_over(settings: Settings, other: int) -> None:
    wanted = settings.model_copy(update={"airflow_port": other})
    assert other < choose_port(wanted) <= other + airflow.PORTS_TRIED


def test_without_a_free_port_the_setting_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "is_free", lambda _: False)
    highest = settings.model_copy(update={"airflow_port": 65530})
    with pytest.raises(ConfigurationError, match="65530 to 65535") as raised:
        choose_port(highest)
    assert "ZHONGTAI_AIRFLOW_PORT" in str(raised.value.hint)


def test_another_airflow_on_the_port_is_not_ours(other: int, idle: Started) -> None:
    assert is_healthy(other)
    assert not listens(Services(other, {"api-server": idle}))
    own = Started(os.getpid(), psutil.Process().create_time())
    assert listens(Services(other, {"api-server": own}))


def test_a_lost_port_is_said_before_anything_starts(
    settings: Settings, other: int, idle: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Services(other, {"scheduler": idle})
    monkeypatch.setattr(processes, "load_services", lambda _: left)
    with pytest.raises(ZhongtaiError, match=f"took its port {other}"):
        start_services(settings, lambda _: None)


def test_stopping_what_never_ran_says_so_and_makes_no_home(settings: Settings) -> None:
    home = settings.path("never")
    ended = CliRunner().invoke(app, ["down", "--home", str(home)])
    assert (ended.exit_code, ended.output) == (0, "nothing was running\n")
    assert not home.exists()


def test_several_components_that_are_gone_are_started_again(
    settings: Settings, idle: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Started(2**22 + 1, 0.0)
    before = {"api-server": gone, "scheduler": idle, "dag-processor": idle, "triggerer": gone}
    processes._save(settings, Services(settings.airflow_port, before))
    started: list[str] = []

    def start(_: Settings, component: str, environment: dict[str, str]) -> Started:
        started.append(component)
        return idle

    answers = iter([False, True, True])
    monkeypatch.setattr(processes, "prepare_airflow", lambda *_: {})
    monkeypatch.setattr(processes, "start_component", start)
    monkeypatch.setattr(processes, "listens", lambda _: next(answers))
    monkeypatch.setattr(processes, "health", lambda _: dict.fromkeys(HEALTH_KEYS, "healthy"))
    start_services(settings, lambda _: None)
    assert started == ["api-server", "triggerer"]
