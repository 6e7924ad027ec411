"""Every service of the compose file starts by its own command and passes its own health check."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from zhongtai.service.airflow import airflow_environment
from zhongtai.service.processes import COMPONENTS, airflow_arguments, health, load_services
from zhongtai.settings import Settings

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return services


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_command_of_the_compose_file_is_what_runs(
    airflow_settings: Settings, compose: dict[str, Any], component: str
) -> None:
    services = load_services(airflow_settings)
    assert services is not None
    assert component in services.running()
    own = compose[component]["command"]
    assert own[0] == "airflow"
    assert own[1:2] == list(airflow_arguments(component))


@pytest.mark.parametrize("component", COMPONENTS)
def test_its_health_check_passes(
    airflow_settings: Settings, compose: dict[str, Any], component: str
) -> None:
    services = load_services(airflow_settings)
    assert services is not None
    check = compose[component]["healthcheck"]["test"][1:]
    command = [part.replace(":8080", f":{services.port}") for part in check]
    if command[0] == "airflow":
        command = [sys.executable, "-m", *command]
    result = subprocess.run(
        command,
        env=airflow_environment(airflow_settings, services.port),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_all_components_report_healthy(airflow_settings: Settings) -> None:
    services = load_services(airflow_settings)
    assert services is not None
    assert set(health(services.port).values()) == {"healthy"}


def test_the_pages_ask_who_you_are(airflow_settings: Settings) -> None:
    services = load_services(airflow_settings)
    assert services is not None
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{services.port}/api/v2/dags", timeout=10)
    assert refused.value.code == 401
