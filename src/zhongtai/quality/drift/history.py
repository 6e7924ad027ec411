"""The measures of the snapshots that were published: what later ones are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import psycopg

from zhongtai.quality.drift.bands import Seen

# Eight weeks of daily values, so that every weekday has its own.
LEARNED_FROM = 56
# Where each file makes a snapshot, an entity has a value of its own in one of many.
_LOOKED_AT = 1500
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
    last_id, last_run, _, is_shown = shown[0]
    days = {run: weekday_of(as_of) for _, run, as_of, _ in shown}
    last = connection.execute(
        "select measure, value from ledger.gate_measures where run_id = %s", [last_run]
    ).fetchall()
    return History(len(shown), last_id, is_shown, dict(last), _load_values(connection, days))


def _load_values(connection: psycopg.Connection, days: Mapping[str, int]) -> dict[str, list[Seen]]:
    """The newest values of each measure; `days` are the runs, the newest first, and weekdays."""
    rows = connection.execute(
        "with runs as ("
        " select run_id, place from unnest(%s::text[]) with ordinality as r (run_id, place)"
        "), placed as ("
        " select m.measure, m.run_id, m.value,"
        " row_number() over (partition by m.measure order by r.place) as newest"
        " from ledger.gate_measures as m join runs as r using (run_id)"
        ") select measure, run_id, value from placed where newest <= %s order by measure, newest",
        [list(days), LEARNED_FROM],
    ).fetchall()
    values: dict[str, list[Seen]] = {}
    for name, run, value in rows:
        values.setdefault(name, []).append(Seen(value, days[run]))
    return values
