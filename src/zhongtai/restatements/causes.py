"""Why the numbers of a table changed between the current snapshot and a candidate."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import psycopg

from zhongtai.restatements.tables import MetricsTable
from zhongtai.runs import Run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LATE_DATA = "late data"
IDENTITY = "identity"
DEFINITION = "definition"
TIME = "time"

# A delivery that is new, or has more or fewer rows than then: a replay, or an erasure.
_NEW_DELIVERIES = """
select source || '.' || entity, count(*)
from meta.deliveries
left join ledger_before using (delivery_id)
where
    coalesce(ledger_before.rows_loaded, 0) <> deliveries.rows_loaded
    and list_contains($entities, source || '__' || entity)
group by all
order by all
"""
_CHANGED_IDS = """
select change, count(*)
from identity.changes
where run_id = $run_id and change in ('merge', 'split', 'reassign', 'erase')
group by all
order by all
"""


def record_definitions(
    ledger: psycopg.Connection, run: Run, tables: Iterable[MetricsTable]
) -> None:
    """Keep by what definition this run computes each table."""
    with ledger.cursor() as cursor:
        cursor.executemany(
            "insert into publication.definitions (run_id, table_name, definition)"
            " values (%s, %s, %s) on conflict (run_id, table_name)"
            " do update set definition = excluded.definition",
            [(run.run_id, table.name, table.definition) for table in tables],
        )


def load_definitions(ledger: psycopg.Connection, run_id: str | None) -> dict[str, str]:
    """By what definition a run computed each table, by name."""
    rows = ledger.execute(
        "select table_name, definition from publication.definitions where run_id = %s", [run_id]
    )
    return dict(rows.fetchall())


def find_causes(
    build: "DuckDBPyConnection", run: Run, table: MetricsTable, definition: str | None
) -> tuple[str, str]:
    """The causes that there can be, joined by ` + `, and what is known of each.

    `definition` is that of the current snapshot, None where it is not known; the temp table
    ledger_before has what its meta_ledger listed. Where nothing that the table reads has changed,
    only time has passed.
    """
    told: dict[str, str] = {}
    deliveries = build.execute(_NEW_DELIVERIES, {"entities": sorted(table.entities)}).fetchall()
    if deliveries:
        told[LATE_DATA] = "deliveries: " + ", ".join(f"{n} of {name}" for name, n in deliveries)
    changes = build.execute(_CHANGED_IDS, {"run_id": run.run_id}).fetchall()
    if changes and table.uses_identity:
        told[IDENTITY] = "ids of persons: " + ", ".join(f"{n} {change}" for change, n in changes)
    if definition is not None and definition != table.definition:
        told[DEFINITION] = "a model, macro or seed behind the table was changed"
    if not told:
        told[TIME] = "nothing that the table reads has changed"
    return " + ".join(told), "; ".join(told.values())
