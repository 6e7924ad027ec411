"""A home with a running Airflow, and how far what it publishes has come."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from zhongtai.service import start_services, stop_services
from zhongtai.settings import Settings, load_settings


@contextmanager
def running_home(prefix: str, **given: object) -> Iterator[Settings]:
    """Start everything in a new home, with these settings; stopped and removed at the end."""
    home = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    settings = load_settings(
        home=home, stable_seconds=1, sweep_minutes=1, memory_limit="2GB", **given
    )
    try:
        start_services(settings, say=lambda _: None)
        yield settings
    finally:
        stop_services(settings)
        shutil.rmtree(home, ignore_errors=True)


def published_files(settings: Settings) -> int:
    """How many files the current snapshot tells of."""
    current = settings.path("published", "metrics", "current.duckdb")
    if not current.exists():
        return 0
    with duckdb.connect(str(current.resolve()), read_only=True) as snapshot:
        return int(snapshot.execute("select count(*) from meta_ledger").fetchall()[0][0])
