"""The services of docker-compose.yml as processes of this machine: its commands, its environment.

Only what a container changes is translated: two folders, two host names, a port, and the secrets
that a person would put into `.env`.
"""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from zhongtai.embedded_server import embedded_server_url
from zhongtai.service.secrets import new_secrets
from zhongtai.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def load_compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@dataclass
class Stack:
    """Processes by service; `home` stands for the shared volume, `socket` for the database host."""

    home: Path
    socket: str
    port: int
    services: dict[str, Any]
    values: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings that the containers see."""
        environment = self.environment("scheduler")
        return load_settings(
            home=self.home, database_url=environment["ZHONGTAI_DATABASE_URL"], stable_seconds=1
        )

    def environment(self, service: str) -> dict[str, str]:
        """The service's own environment, and what an image gives: a PATH and a home."""
        own = self.services[service]["environment"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(self.home),
            **{name: self._here(value) for name, value in own.items()},
        }

    def command(self, service: str) -> list[str]:
        return [self._with_port(part) for part in self.services[service]["command"]]

    def health_check(self, service: str) -> list[str]:
        kind, *command = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self._with_port(part) for part in command]

    def run(self, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as it would run in the container of the service."""
        return subprocess.run(
            command,
            env=self.environment(service),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def start(self, service: str) -> None:
        with (self.home / f"{service}.log").open("ab") as log:
            self.processes[service] = subprocess.Popen(
                self.command(service),
                env=self.environment(service),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, service: str) -> str:
        """The end of what a service wrote."""
        return (self.home / f"{service}.log").read_text("utf-8", errors="replace")[-3000:]

    def wait_for_pages(self, seconds: float = 120) -> None:
        """Wait until the API answers, as compose waits for the health of `api-server`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.processes["api-server"].poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/api/v2/version", timeout=5).close()
            except (urllib.error.URLError, OSError):
                time.sleep(1)
            else:
                return
        pytest.fail(f"the API does not answer:\n{self.log('api-server')}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _here(self, value: str) -> str:
        """A value of the file with its variables filled in, and container names translated."""

        def fill(found: re.Match[str]) -> str:
            name, _, default = found["inner"].partition(":")
            return self.values.get(name) or default.lstrip("-?")

        filled = re.sub(r"\$\{(?P<inner>[^}]*)\}", fill, str(value))
        filled = filled.replace("/var/lib/zhongtai", str(self.home))
        filled = filled.replace("/opt/zhongtai", str(ROOT))
        filled = filled.replace("api-server:8080", f"127.0.0.1:{self.port}")
        return re.sub(r"@postgres:5432/(\w+)", rf"@/\1?host={self.socket}", filled)

    def _with_port(self, part: str) -> str:
        return part.replace("8080", str(self.port))


def make_stack(home: Path, port: int) -> Stack:
    """A stack with nothing started but PostgreSQL, which has the user of the image `postgres`."""
    url = embedded_server_url(load_settings(home=home))
    drawn = new_secrets()
    values = {
        "POSTGRES_PASSWORD": secrets.token_urlsafe(12),
        "AIRFLOW_FERNET_KEY": drawn["fernet_key"],
        "AIRFLOW_JWT_SECRET": drawn["jwt_secret"],
        "AIRFLOW_API_SECRET_KEY": drawn["api_secret_key"],
        "AIRFLOW_ADMIN_PASSWORD": drawn["admin_password"],
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role zhongtai superuser login password {}").format(
                values["POSTGRES_PASSWORD"]
            )
        )
        folder = connection.info.host
    return Stack(home, folder, port, load_compose()["services"], values)
