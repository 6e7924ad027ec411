"""The measures of the snapshots that were published: what later ones are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import psycopg

from zhongtai.quality.drift.bands import Seen

# Eight weeks of daily snapshots, so that every weekday has its own.
_LEARNED_FROM = 56
# What arrives once a week has its ten values within this many daily snapshots.
_LOOKED_AT = 120
# Businesses keep the hours of China, whatever the clock of the server.
_CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class History:
    """The values of each measure, the newest first, over `snapshots` published snapshots.

    `last` are the measures of the snapshot `last_id`, the one that readers see unless the
    candidate is that one by now (`is_shown` tells).
    """

    snapshots: int = 0
    last_id: str | None = None
    is_shown: bool = False
    last: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, list[Seen]] = field(default_factory=dict)


def weekday_of(as_of: datetime) -> int:
    """The local weekday of an aware instant, 0 for Monday."""
    return as_of.astimezone(_CHINA).weekday()


def record(connection: psycopg.Connection, run_id: str, measures: Mapping[str, float]) -> None:
    """Keep the measures of a run: once it is published, later runs learn from them."""
    connection.execute("delete from ledger.gate_measures where run_id = %s", [run_id])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ledger.gate_measures (run_id, measure, value) values (%s, %s, %s)",
            [(run_id, name, value) for name, value in measures.items()],
        )


def load_history(connection: psycopg.Connection, run_id: str) -> History:
    """What was published beside the candidate of `run_id`, which may be published itself."""
    shown = connection.execute(
        "select snapshot_id, run_id, as_of, state = 'published' from ledger.snapshots"
        " where state in ('published', 'superseded') and run_id <> %s"
        " order by state = 'published' desc, published_at desc, snapshot_id desc limit %s",
        [run_id, _LOOKED_AT],
    ).fetchall()
    if not shown:
        return History()
    days = {run: weekday_of(as_of) for _, run, as_of, _ in shown}
    rows = connection.execute(
        "select measure, run_id, value from ledger.gate_measures where run_id = any(%s)",
        [list(days)],
    ).fetchall()
    by_run: dict[str, dict[str, float]] = {}
    for name, run, value in rows:
        by_run.setdefault(run, {})[name] = value
    values: dict[str, list[Seen]] = {}
    for run, day in days.items():
        for name, value in by_run.get(run, {}).items():
            if len(values.setdefault(name, [])) < _LEARNED_FROM:
                values[name].append(Seen(value, day))
    last_id, last_run, _, is_shown = shown[0]
    return History(len(shown), last_id, is_shown, by_run.get(last_run, {}), values)
