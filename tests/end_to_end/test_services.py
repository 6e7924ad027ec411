"""Every service of the compose file starts by its own command and passes its own health check."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import psycopg
import pytest
import yaml

from zhongtai.embedded_server import stop_embedded_server
from zhongtai.service.processes import COMPONENTS, health

from arrival_cases import drop_events, newest_snapshot, wait_for
from compose_stack import Stack, free_port, make_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The services of the compose file, started as `docker compose up` does."""
    home = Path(tempfile.mkdtemp(prefix="zt-compose-", dir="/tmp"))
    made = make_stack(home, free_port())
    try:
        migrated = made.run("migrate", made.command("migrate"))
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        made.start("api-server")
        made.wait_for_pages()
        for component in COMPONENTS:
            if component != "api-server":
                made.start(component)
        yield made
    finally:
        for process in made.processes.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in made.processes.values():
            _wait_or_kill(process)
        stop_embedded_server(made.settings)
        shutil.rmtree(home, ignore_errors=True)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def _log_in(stack: Stack, password: str) -> int:
    request = urllib.request.Request(
        f"{stack.url}/auth/token",
        data=json.dumps({"username": "admin", "password": password}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_migrate_leaves_both_databases_ready(stack: Stack) -> None:
    url = stack.environment("migrate")["ZHONGTAI_DATABASE_URL"]
    with psycopg.connect(url) as connection:
        found = connection.execute("select count(*) from public.zhongtai_migrations").fetchone()
        assert found is not None
        assert found[0] >= 5
    with psycopg.connect(url.replace("/zhongtai?", "/airflow?")) as connection:
        slots = connection.execute(
            "select slots from slot_pool where pool = 'warehouse_writer'"
        ).fetchone()
        assert slots == (1,)


@pytest.mark.parametrize("component", COMPONENTS)
def test_its_health_check_passes(stack: Stack, component: str) -> None:
    check = stack.services[component]["healthcheck"]
    deadline = time.monotonic() + 180
    while True:
        result = stack.run(component, stack.health_check(component))
        if result.returncode == 0:
            break
        told = f"{result.stdout}{result.stderr}\n{stack.log(component)}"
        assert stack.processes[component].poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(float(check["interval"].removesuffix("s")) / 10)
    assert stack.processes[component].poll() is None


def test_all_components_report_healthy(stack: Stack) -> None:
    wait_for(lambda: set(health(stack.port).values()) == {"healthy"}, "all are healthy", seconds=60)


def test_migrating_a_running_platform_again_changes_nothing(stack: Stack) -> None:
    again = stack.run("migrate", stack.command("migrate"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert _log_in(stack, stack.values["AIRFLOW_ADMIN_PASSWORD"]) == 201


def test_the_pages_ask_who_you_are(stack: Stack) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{stack.url}/api/v2/dags", timeout=10)
    assert refused.value.code == 401
    assert _log_in(stack, "guessed") == 401
    assert _log_in(stack, stack.values["AIRFLOW_ADMIN_PASSWORD"]) == 201


# Who you are cannot be asked before there is a page to log in, or of who only asks whether it runs.
PUBLIC = re.compile(r"/api/v2/(version|monitor/health|auth/log(in|out))")
# Both are files of Airflow: what people and programs may ask, and what its pages ask.
SPECIFICATIONS = ("v2-rest-api-generated.yaml", "_private_ui.yaml")


def _answer(url: str, method: str) -> int:
    request = urllib.request.Request(url, method=method.upper(), data=b"{}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_every_page_asks_who_you_are(stack: Stack) -> None:
    folder = resources.files("airflow.api_fastapi.core_api") / "openapi"
    pages = [
        (method, path)
        for name in SPECIFICATIONS
        for path, methods in yaml.safe_load((folder / name).read_text("utf-8"))["paths"].items()
        for method in methods
    ]
    assert len(pages) >= 100
    asked = [(method, page) for method, page in pages if not PUBLIC.fullmatch(page)]
    assert len(asked) >= len(pages) - 15
    answers = {
        (method, page): _answer(stack.url + re.sub(r"\{[^}]+\}", "1", page), method)
        for method, page in asked
    }
    assert {page: code for page, code in answers.items() if code not in (401, 403)} == {}


def test_what_is_delivered_to_the_services_is_published(stack: Stack) -> None:
    drop_events(stack.settings, "compose")
    snapshot = wait_for(lambda: newest_snapshot(stack.settings), "a snapshot is published", 300)
    current = stack.settings.path("published", "metrics", "current.duckdb")
    assert current.resolve().stem == snapshot
