"""The state of a home: ledger, freshness, gate, snapshots. Counts and names, no personal data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from zhongtai.access import OPS
from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import connect
from zhongtai.locks import lock_holder
from zhongtai.publish import current_snapshot, publisher
from zhongtai.publish.duckdb_store import CURRENT
from zhongtai.publish.snapshots import Snapshot, list_rows
from zhongtai.runs import mark_interrupted
from zhongtai.settings import Settings

Row = Mapping[str, Any]
_RECENT = 10
_MOST_RULES = 20


@dataclass(frozen=True)
class Status:
    """What `zhongtai status` shows; `as_dict` is its JSON. Instants are aware UTC."""

    home: str
    current: Snapshot | None
    shown: Mapping[str, str | None]
    rollback_choices: Sequence[str]
    snapshots: Sequence[Snapshot]
    last_run: Row | None
    interrupted: Sequence[Row]
    writer: str | None
    gate: Row | None
    failed_checks: Sequence[Row]
    entities: Sequence[Row]
    totals: Row
    quarantine: Sequence[Row]
    erasures: Row

    @property
    def is_held(self) -> bool:
        """Whether the newest candidate that was judged is held."""
        return bool(self.gate and self.gate["verdict"] == "held")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "is_held": self.is_held}


def read_status(settings: Settings) -> Status:
    """Read everything in one transaction, so that the numbers fit together.

    Runs whose process is gone are marked as interrupted before.
    """
    contracts = load_contracts(settings.project_dir)
    with connect(settings.acting_as(OPS)) as connection:
        mark_interrupted(connection)
        connection.execute("set transaction isolation level repeatable read read only")
        rows = list_rows(connection)
        gate = _one(
            connection,
            "select snapshot_id, run_id, verdict, because, decided_at, can_be_released"
            " from ledger.gate_verdicts order by sequence desc limit 1",
        )
        shown = _shown(settings, connection)
        refused = _refused(connection)
        return Status(
            home=str(settings.path()),
            current=next((r for r in rows if r.snapshot_id == shown["postgres"]), None),
            shown=shown,
            rollback_choices=publisher.list_complete(settings, connection),
            snapshots=rows[:_RECENT],
            last_run=_one(
                connection,
                "select run_id, command, as_of, started_at, ended_at, status, detail"
                " from ledger.runs order by started_at desc limit 1",
            ),
            interrupted=_interrupted(connection),
            writer=lock_holder(connection, publisher.WRITER_LOCK),
            gate=gate,
            failed_checks=_failed_checks(connection, gate["run_id"]) if gate else (),
            entities=_entities(connection, contracts, refused),
            totals=_totals(connection, refused),
            quarantine=_quarantine(connection, refused),
            erasures=_erasures(connection),
        )


def _erasures(connection: psycopg.Connection) -> Row:
    """Erasures done and not completed yet, and the requests that erased nobody, with the reason."""
    counted = _one(
        connection,
        "select count(finished_at) as done, count(*) - count(finished_at) as interrupted"
        " from erasure.erasures",
    )
    waiting = _many(
        connection,
        "select request_id, identifier_type, reason, requested_at from erasure.open_requests"
        " order by requested_at, request_id",
    )
    return {**(counted or {}), "waiting": waiting}


def _refused(connection: psycopg.Connection) -> list[Row]:
    """What a build set aside of rows that were loaded, as far as it is published.

    Whose a value is shows only once persons are known, so the ledger counts those rows as loaded.
    """
    known = _one(connection, "select to_regclass('metrics.meta_quarantine_daily') as name")
    if not known or known["name"] is None:
        return []
    return _many(
        connection,
        "select source, entity, level, rule, sum(rows)::bigint as rows, 0::bigint as replayed"
        " from metrics.meta_quarantine_daily where rule = 'shared_value' group by 1, 2, 3, 4",
    )


def _totals(connection: psycopg.Connection, refused: Sequence[Row]) -> Row:
    totals = _one(
        connection,
        "select count(*) as deliveries, coalesce(sum(rows_in), 0)::bigint as rows_in,"
        " coalesce(sum(rows_loaded), 0)::bigint as rows_loaded,"
        " coalesce(sum(rows_quarantined), 0)::bigint as rows_quarantined,"
        " coalesce(sum(rows_duplicate), 0)::bigint as rows_duplicate,"
        " coalesce(sum(rows_suppressed), 0)::bigint as rows_suppressed"
        " from ledger.deliveries",
    )
    return _set_aside(totals or {}, sum(row["rows"] for row in refused))


def _set_aside(counted: Row, rows: int) -> Row:
    """Counts of the ledger, with `rows` of the loaded ones as quarantined."""
    return {
        **counted,
        "rows_loaded": counted["rows_loaded"] - rows,
        "rows_quarantined": counted["rows_quarantined"] + rows,
    }


def _quarantine(connection: psycopg.Connection, refused: Sequence[Row]) -> list[Row]:
    """The rules that set most rows and files aside."""
    found = _many(
        connection,
        "select d.source, d.entity, q.level, q.rule, sum(q.rows)::bigint as rows,"
        " sum(q.replayed_rows)::bigint as replayed from ledger.quarantine q"
        " join ledger.deliveries d using (delivery_id) where q.level <> 'value'"
        " group by 1, 2, 3, 4",
    )
    by_rows = sorted(
        [*found, *refused], key=lambda row: (-row["rows"], row["source"], row["entity"])
    )
    return by_rows[:_MOST_RULES]


def _interrupted(connection: psycopg.Connection) -> list[Row]:
    """Runs whose process is gone, until a later one of the same command ends well."""
    return _many(
        connection,
        "select run_id, command, started_at from ledger.runs r where status = 'interrupted'"
        " and not exists (select 1 from ledger.runs later where later.command = r.command"
        "  and later.started_at > r.started_at"
        "  and later.status not in ('running', 'interrupted', 'failed'))"
        " order by started_at desc limit %s",
        [_RECENT],
    )


def _shown(settings: Settings, connection: psycopg.Connection) -> dict[str, str | None]:
    """What a reader of each store sees.

    The stores differ only in the moment of a flip, or after a crash until the next run.
    """
    shown = {"postgres": current_snapshot(connection)}
    for store in ("metrics", "profiles"):
        link = settings.path("published", store, CURRENT)
        shown[f"duckdb_{store}"] = link.resolve().stem if link.exists() else None
    link = settings.path("published", "parquet", "current")
    shown["parquet"] = link.resolve().name if link.exists() else None
    return shown


def _failed_checks(connection: psycopg.Connection, run_id: str) -> list[Row]:
    return _many(
        connection,
        "select suite, expectation, severity, outcome, observed, because from ledger.gate_results"
        " where run_id = %s and outcome <> 'passed'"
        " order by severity <> 'critical', suite, expectation",
        [run_id],
    )


def _entities(
    connection: psycopg.Connection, contracts: Contracts, refused: Sequence[Row]
) -> list[Row]:
    """One row per contract: deliveries, rows, and whether it is as fresh as promised."""
    later = {(row["source"], row["entity"]): row["rows"] for row in refused}
    found = {
        (row["source"], row["entity"]): row
        for row in _many(
            connection,
            "select source, entity, count(*) as deliveries,"
            " count(*) filter (where status = 'quarantined') as quarantined_files,"
            " sum(rows_in)::bigint as rows_in, sum(rows_loaded)::bigint as rows_loaded,"
            " sum(rows_quarantined)::bigint as rows_quarantined,"
            " sum(rows_duplicate)::bigint as rows_duplicate,"
            " max(delivered_at) as last_delivered_at, max(loaded_at) as last_loaded_at,"
            " max(max_event_at) as event_time_reached from ledger.deliveries group by 1, 2",
        )
    }
    now = datetime.now(UTC)
    entities: list[Row] = []
    for contract in contracts.values():
        row = found.get((contract.source, contract.entity))
        if row is None:
            names = {"source": contract.source, "entity": contract.entity}
            entities.append({**names, "deliveries": 0, "freshness": "never"})
            continue
        is_late = now - row["last_delivered_at"] > contract.fresh_for
        row = _set_aside(row, later.get((contract.source, contract.entity), 0))
        entities.append({**row, "freshness": "late" if is_late else "fresh"})
    return entities


def _many(connection: psycopg.Connection, query: str, values: Sequence[object] = ()) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(query.encode(), values))


def _one(connection: psycopg.Connection, query: str) -> Row | None:
    rows = _many(connection, query)
    return rows[0] if rows else None
