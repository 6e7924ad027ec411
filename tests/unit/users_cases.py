"""What the tests of the users' tables share: the compiled models, and rows as staging has them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from metrics_bench import Bench, Project, compile_project

from zhongtai.settings import load_settings

Row = dict[str, Any]


@cache
def compiled() -> Project:
    """The project, compiled once for all tests of a process."""
    with TemporaryDirectory() as home:
        return compile_project(load_settings(home=Path(home), threads=2))


def event(name: str, at: datetime, person: str, **properties: object) -> Row:
    """An app event of the person whose distinct id is the one_id."""
    return {
        "subject_key": person, "type": "track", "event": name, "distinct_id": person,
        "occurred_at": at, "properties": json.dumps(properties),
    }  # fmt: skip


def give_events(bench: Bench, rows: list[Row]) -> None:
    """Stage app events and link each subject to the person of its name."""
    numbered = [{"record_key": f"E{number}"} | row for number, row in enumerate(rows)]
    bench.given("stg_app__events", numbered)
    bench.persons("app", "events", {row["distinct_id"]: row["distinct_id"] for row in rows})


def give_visits(bench: Bench, visits: Mapping[str, Sequence[datetime]]) -> None:
    """Stage receptions at a store: when each person came."""
    keyed = {
        f"V{number}": came
        for number, came in enumerate((who, at) for who, times in visits.items() for at in times)
    }
    rows = [
        {"record_key": key, "visit_id": key, "arrived_at": at} for key, (_who, at) in keyed.items()
    ]
    bench.given("stg_dms__store_visits", rows)
    bench.persons("dms", "store_visits", {key: who for key, (who, _at) in keyed.items()})


def give_dealers(bench: Bench, regions: Mapping[str, str]) -> None:
    """Stage dealers with their regions."""
    rows = [{"record_key": d, "dealer_code": d, "region": r} for d, r in regions.items()]
    bench.given("stg_dms__dealers", rows)
