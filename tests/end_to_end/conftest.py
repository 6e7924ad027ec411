"""One real Airflow on one embedded PostgreSQL for the tests of a module that need the scheduler."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zhongtai.service import start_services, stop_services
from zhongtai.settings import Settings, load_settings

from compose_stack import free_port


def discard(text: str) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def airflow_settings() -> Iterator[Settings]:
    """Settings of a home with a running Airflow, stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="zt-air-", dir="/tmp"))
    settings = load_settings(
        home=home, airflow_port=free_port(), stable_seconds=1, sweep_minutes=1, memory_limit="2GB"
    )
    try:
        start_services(settings, say=discard)
        yield settings
    finally:
        stop_services(settings)
        shutil.rmtree(home, ignore_errors=True)
