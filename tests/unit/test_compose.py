"""The compose file is valid, keeps no secret, and starts what the service module starts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from zhongtai.service.processes import COMPONENTS, airflow_arguments

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return loaded


def test_it_follows_the_compose_specification() -> None:
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "check-jsonschema"),
            "--builtin-schema",
            "vendor.compose-spec",
            str(COMPOSE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_long_running_service_has_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "migrate", *COMPONENTS}
    for name in ("postgres", *COMPONENTS):
        assert services[name]["healthcheck"]["test"][0] == "CMD", name
    for name in COMPONENTS:
        assert services[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }


@pytest.mark.parametrize("component", COMPONENTS)
def test_up_starts_the_command_of_the_compose_file(compose: dict[str, Any], component: str) -> None:
    program, *arguments = compose["services"][component]["command"]
    assert program == "airflow"
    assert arguments[:1] == list(airflow_arguments(component))


def test_no_password_is_written_down(compose: dict[str, Any]) -> None:
    secret_words = ("PASSWORD", "SECRET", "FERNET", "JWT", "CONN")
    looked_at = 0
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            if any(word in key for word in secret_words) and "FILE" not in key:
                looked_at += 1
                assert ":?" in str(value), f"{name}.{key} has a default"
    assert looked_at >= 10


def test_every_service_of_ours_gets_all_settings_of_the_environment_file(
    compose: dict[str, Any],
) -> None:
    # without it a key for profiles would encrypt nothing, and nobody would be told
    for name in ("migrate", *COMPONENTS):
        assert compose["services"][name]["env_file"] == [{"path": ".env", "required": False}]
