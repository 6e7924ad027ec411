"""Deliver small files, and wait for what the ledger and the snapshots say of them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zhongtai.database import connect
from zhongtai.settings import Settings


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """Poll until the condition is true; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:.0f} s: {what}")
        time.sleep(0.5)


def ledger_files(settings: Settings) -> dict[str, str]:
    """Status by file of everything in the ledger."""
    with connect(settings, autocommit=True) as connection:
        rows = connection.execute("select file, status from ledger.deliveries").fetchall()
    return dict(rows)


def newest_snapshot(settings: Settings) -> str | None:
    """The published snapshot that is current."""
    with connect(settings, autocommit=True) as connection:
        row = connection.execute(
            "select snapshot_id from ledger.snapshots where state = 'published'"
            " order by published_at desc limit 1"
        ).fetchone()
    return row[0] if row else None


def app_event(person: str, at_ms: int, event: str = "ViewSeries") -> str:
    return json.dumps(
        {
            "type": "track",
            "event": event,
            "distinct_id": person,
            "time": at_ms,
            "_track_id": at_ms % 1_000_000_000,
            "_flush_time": at_ms + 500,
            "identities": {"$identity_anonymous_id": person},
            "project": "production",
            "lib": {"$lib": "Android"},
            "properties": {"series_code": "S1", "model_code": "S1A"},
        }
    )


def drop_events(settings: Settings, name: str, people: int = 3) -> str:
    """Deliver a small file of app events, marker last; returns its label in the ledger."""
    folder = Path(settings.landing_url, "app", "events", "2026-03-01")
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        app_event(f"device-{name}-{person}", 1_772_330_400_000 + 1000 * person)
        for person in range(people)
    ]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.jsonl.done").touch()
    return f"app/events/2026-03-01/{name}.jsonl"
