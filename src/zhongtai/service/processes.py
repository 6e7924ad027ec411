"""Start, watch and stop the Airflow components as processes of this machine."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import psutil

from zhongtai.embedded_server import stop_embedded_server
from zhongtai.errors import ZhongtaiError
from zhongtai.service.airflow import AirflowAddress, choose_port, is_free, prepare_airflow
from zhongtai.service.secrets import admin_password, write_private
from zhongtai.settings import Settings

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTH_KEYS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
START_TIMEOUT_SECONDS = 240.0
STOP_TIMEOUT_SECONDS = 20.0


@dataclass
class Started:
    """A component's process; `created` tells it from a later process with the same id."""

    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """The process while it runs, else None."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass
class Services:
    """What runs for one home folder; kept in <home>/airflow/services.json."""

    port: int
    components: dict[str, Started] = field(default_factory=dict)

    def running(self) -> dict[str, psutil.Process]:
        """Live processes by component."""
        found = {name: started.process() for name, started in self.components.items()}
        return {name: process for name, process in found.items() if process}


def load_services(settings: Settings) -> Services | None:
    """The services last started for this home, or None."""
    path = settings.path("airflow", "services.json")
    if not path.exists():
        return None
    state = json.loads(path.read_text("utf-8"))
    components = {name: Started(**started) for name, started in state["components"].items()}
    return Services(state["port"], components)


def _save(settings: Settings, services: Services) -> None:
    write_private(settings.path("airflow", "services.json"), json.dumps(asdict(services)))


def airflow_arguments(component: str) -> tuple[str, ...]:
    """The `airflow` command of a component, as in docker-compose.yml; ports come from settings."""
    return (component,)


def start_component(settings: Settings, component: str, environment: dict[str, str]) -> Started:
    """Start one Airflow component in a process group of its own."""
    log = settings.path("logs", f"airflow-{component}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", *airflow_arguments(component)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=settings.path("airflow"),
        )
    return Started(process.pid, psutil.Process(process.pid).create_time())


def health(port: int) -> dict[str, str | None]:
    """Status by component as the API server reports it; empty while it does not answer."""
    url = f"http://127.0.0.1:{port}/api/v2/monitor/health"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # our own address
            answer = json.load(response)
    except (urllib.error.URLError, OSError):
        return {}
    return {key: (answer.get(key) or {}).get("status") for key in HEALTH_KEYS}


def is_healthy(port: int) -> bool:
    """Whether all of Airflow's components report that they are healthy."""
    reported = health(port)
    return bool(reported) and all(status == "healthy" for status in reported.values())


def listens(services: Services) -> bool:
    """Whether it is our API server that answers on the port, and not another home's."""
    server = services.running().get("api-server")
    if server is None:
        return False
    try:
        family = [server, *server.children(recursive=True)]
        connections = [found for process in family for found in process.net_connections("tcp")]
    except psutil.NoSuchProcess:
        # one of them ended meanwhile: whoever waits asks again
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == services.port
        for connection in connections
    )


def _wait_until(settings: Settings, services: Services, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not ready():
        dead = set(services.components) - set(services.running())
        if dead:
            name = sorted(dead)[0]
            log = settings.path("logs", f"airflow-{name}.log")
            tail = log.read_text("utf-8", errors="replace")[-1500:]
            raise ZhongtaiError(
                f"airflow {name} ended while starting:\n{tail}", hint=f"see {log}, then try again"
            )
        if time.monotonic() > deadline:
            raise ZhongtaiError(
                f"Airflow was not healthy after {START_TIMEOUT_SECONDS:.0f} s: "
                f"{health(services.port)}",
                hint=f"see the logs in {settings.path('logs')}",
            )
        time.sleep(1)


def start_services(settings: Settings, say: Callable[[str], None] = print) -> AirflowAddress:
    """Start PostgreSQL and Airflow, or what of them is missing, and wait until all are healthy.

    Raises ZhongtaiError with the end of the log of a component that does not come up.
    """
    services = load_services(settings)
    if services is None or not services.running():
        services = Services(choose_port(settings))
    running, port = services.running(), services.port
    # what died before is started below; only what dies now has failed to start
    services.components = {n: c for n, c in services.components.items() if n in running}
    if "api-server" not in running and not is_free(port):
        # the components that still run know the API server by this port
        raise ZhongtaiError(
            f"the API server of this home is gone, and another program took its port {port}",
            hint="zhongtai down, then start again: another port will be taken",
        )
    if port != settings.airflow_port:
        say(f"port {settings.airflow_port} is taken: Airflow serves on {port}")
    say("preparing PostgreSQL and Airflow's tables")
    environment = prepare_airflow(settings, port)
    say("waiting for api-server, scheduler, dag-processor and triggerer")
    for component in COMPONENTS:
        if component not in running:
            services.components[component] = start_component(settings, component, environment)
            _save(settings, services)
        if component == "api-server":
            # a task that starts before the API answers fails on its first call
            _wait_until(settings, services, lambda: listens(services) and bool(health(port)))
    _wait_until(settings, services, lambda: listens(services) and is_healthy(port))
    return address(settings, services.port)


def address(settings: Settings, port: int) -> AirflowAddress:
    """Where the Airflow of this home answers."""
    return AirflowAddress(f"http://127.0.0.1:{port}", "admin", admin_password(settings))


def _signal_group(process: psutil.Process, sign: signal.Signals) -> None:
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        return


def _left_behind(settings: Settings, known: set[int]) -> list[psutil.Process]:
    """Airflow's processes of this home whose component was killed: its workers wait for ever.

    Told by folder and title, because who sets a title overwrites the environment.
    """
    folder, user = str(settings.path("airflow").resolve()), os.getuid()
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline", "uids"])
        if process.pid not in known
        and process.info["cwd"] == folder
        and process.info["uids"].real == user
        and " ".join(process.info["cmdline"] or ()).startswith("airflow ")
    ]


def stop_services(settings: Settings, *, database: bool = True) -> list[str]:
    """Stop what was started for this home, and what a killed component of it left behind.

    Returns the names of the components that were running.
    """
    services = load_services(settings)
    running = services.running() if services else {}
    family = [child for process in running.values() for child in process.children(recursive=True)]
    for process in running.values():
        _signal_group(process, signal.SIGTERM)
    left = _left_behind(settings, {process.pid for process in (*running.values(), *family)})
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    everyone = [*running.values(), *family, *left]
    _, stubborn = psutil.wait_procs(everyone, timeout=STOP_TIMEOUT_SECONDS)
    for process in stubborn:
        process.kill()
    stopped = list(running)
    settings.path("airflow", "services.json").unlink(missing_ok=True)
    if database and stop_embedded_server(settings):
        stopped.append("postgres")
    return stopped
