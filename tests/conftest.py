"""Fixtures that every test may use: a throw-away home and one PostgreSQL server a session."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import connect, migrate
from zhongtai.embedded_server import embedded_server_url, stop_embedded_server
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings, load_settings

from landing_cases import PROJECT, Landing

_TEMPLATE = "zhongtai_template"
_CACHE = "ZHONGTAI_CACHE"
_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """One cache for all workers of these tests; what other tests left is not seen."""
    if not hasattr(config, "workerinput"):
        os.environ[_CACHE] = tempfile.mkdtemp(prefix="zhongtai-cache-")
    # the truth beside sample exports is of everybody, also of whom requests mean
    os.environ.setdefault("ZHONGTAI_ERASE_ON_REQUEST", "false")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what `pytest_configure` made."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[_CACHE], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a database with the schema up to date, in a server that this session owns."""
    # a short path: PostgreSQL's socket must fit into 107 characters
    home = Path(tempfile.mkdtemp(prefix="zt-", dir="/tmp"))
    settings = load_settings(home=home)
    url = embedded_server_url(settings, _TEMPLATE)
    with psycopg.connect(url) as connection:
        migrate(connection)
    try:
        yield url
    finally:
        stop_embedded_server(settings)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty, migrated database of this test alone."""
    name = f"zhongtai_test_{next(_numbers)}"
    server = postgres_server.replace(f"/{_TEMPLATE}", "/postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {_TEMPLATE}")
    yield postgres_server.replace(f"/{_TEMPLATE}", f"/{name}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings with a home of this test alone; files of 'stable' entities count at once."""
    return load_settings(
        home=tmp_path / "home", database_url=database_url, stable_seconds=0, threads=2
    )


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    """The contracts of the repository."""
    return load_contracts(PROJECT)


@pytest.fixture
def run(settings: Settings) -> Run:
    """A recorded run with a real clock."""
    with connect(settings) as connection:
        return start_run(connection, "test")


@pytest.fixture
def landing(settings: Settings, contracts: Contracts) -> Landing:
    """The landing zone of this test's home."""
    return Landing(Path(settings.landing_url), contracts)
