"""Restatement: what was published of the past and is told otherwise now, with its cause.

A reader who noted a number of last month must be able to see that it changed, when and why. So a
candidate is compared with the current snapshot, value by value, where both speak of a period that
was over, and of a window that was closed, when the snapshot was made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from zhongtai.database import connect
from zhongtai.publish.past import read_published
from zhongtai.restatements.causes import find_causes, load_definitions, record_definitions
from zhongtai.restatements.comparison import BEFORE, FOUND, compare, stamp
from zhongtai.restatements.tables import MetricsTable, list_tables
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["load_history", "record"]

# Longer than the longest report, which looks back a year.
KEPT = timedelta(days=400)

_COLUMNS = {
    "restated_at": "timestamp",
    "table_name": "varchar",
    "period": "date",
    "row_key": "varchar",
    "metric": "varchar",
    "old_value": "double",
    "new_value": "double",
    "cause": "varchar",
    "because": "varchar",
    "run_id": "varchar",
}
_SNAPSHOT = {"run_id": "varchar", "state": "varchar", "as_of": "timestamp"}
_LEDGER = {"delivery_id": "varchar", "rows_loaded": "bigint"}


def load_history(settings: Settings, run: Run) -> int:
    """Put the restatements that the current snapshot lists into meta.restatements; their number.

    Those older than KEPT are let go. Writes build.duckdb, so the caller holds the build.
    """
    with open_build(settings) as build:
        build.execute("create schema if not exists meta")
        _read(settings, build, "meta.restatements", "meta_restatements", _COLUMNS)
        oldest = _naive(run.as_of) - KEPT
        build.execute("delete from meta.restatements where restated_at < ?", [oldest])
        row = build.execute("select count(*) from meta.restatements").fetchone()
    return int(row[0]) if row else 0


def record(settings: Settings, run: Run) -> int:
    """Compare the built metrics with the current snapshot; the number of values told otherwise.

    Each becomes a row of metrics.meta_restatements, and its row of the table itself gets
    `restated_at`. A run that looks from an earlier instant than the snapshot restates nothing.
    Writes build.duckdb, so the caller holds the build.
    """
    tables = list_tables(settings)
    with open_build(settings) as build:
        current = _load_current(settings, build, run, tables)
        return sum(_restate(settings, build, run, table, current) for table in tables)


@dataclass(frozen=True)
class _Current:
    """The snapshot that readers see: until when it knew (naive UTC), and its definitions."""

    known_until: datetime | None
    definitions: Mapping[str, str]


def _load_current(
    settings: Settings,
    build: "DuckDBPyConnection",
    run: Run,
    tables: Iterable[MetricsTable],
) -> _Current:
    """Read what `compare` and `find_causes` need of the current snapshot; keep this run's part."""
    _read(settings, build, "temp.snapshots_before", "meta_snapshots", _SNAPSHOT)
    _read(settings, build, "temp.ledger_before", "meta_ledger", _LEDGER)
    row = build.execute(
        "select run_id, as_of from snapshots_before where state = 'published'"
    ).fetchone()
    run_id, known_until = row or (None, None)
    with connect(settings, autocommit=True) as ledger:
        definitions = load_definitions(ledger, run_id)
        record_definitions(ledger, run, tables)
    looks_back = known_until is not None and known_until > _naive(run.as_of)
    return _Current(None if looks_back else known_until, definitions)


def _restate(
    settings: Settings,
    build: "DuckDBPyConnection",
    run: Run,
    table: MetricsTable,
    current: _Current,
) -> int:
    """Compare one table; the number of its values told otherwise."""
    columns = {c: table.types[c] for c in (*table.grain, *(m.name for m in table.measures))}
    _read(settings, build, f"temp.{BEFORE}", table.name, {**columns, "restated_at": "timestamp"})
    found = compare(build, table, current.known_until)
    if found:
        cause, because = find_causes(build, run, table, current.definitions.get(table.name))
        told = {"cause": cause, "because": because, "run_id": run.run_id}
        build.execute(
            "insert into metrics.meta_restatements by name select *, $restated_at as restated_at,"  # noqa: S608
            f" $cause as cause, $because as because, $run_id as run_id from {FOUND}",
            {"restated_at": _naive(run.as_of), **told},
        )
    stamp(build, table, _naive(run.as_of))
    return found


def _read(
    settings: Settings,
    build: "DuckDBPyConnection",
    target: str,
    table: str,
    columns: Mapping[str, str],
) -> None:
    """Make `target` of these columns, with what the current snapshot has of the table."""
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    kind = "temp table" if target.startswith("temp.") else "table"
    build.execute(f"create or replace {kind} {target} ({listed})")
    read_published(settings, build, target, ("metrics", table), columns)


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
