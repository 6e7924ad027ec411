"""Letting rows go that are past their retention, from every layer that holds what was delivered.

A row is as old as the time that its contract names says, but at least as old as its loading: that
counts where the time is missing, unreadable or still to come. The machinery is that of erasures:
parts are written anew, what left counts as suppressed, and a delivered file that held such rows
leaves archive and landing zone. `ledger.expirations` says how many rows left when.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.access import LOADER
from zhongtai.contracts import Contract, Contracts
from zhongtai.contracts.model import Retention
from zhongtai.database import connect
from zhongtai.erasure.landed import remove_or_tell_named, tell_named
from zhongtai.erasure.quarantines import Quarantine, SetAside
from zhongtai.erasure.raw import HeldPart, RawZone
from zhongtai.ingest.drain import open_duckdb
from zhongtai.ingest.rules import literal, quoted
from zhongtai.ingest.setaside import json_path, rows_file
from zhongtai.ingest.settle import entity_lock
from zhongtai.ingest.times import time_expression
from zhongtai.ingest.workspace import open_workspace
from zhongtai.ledger import all_parts
from zhongtai.retention.periods import cutoff
from zhongtai.runs import Run
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

# The deliveries of an entity that may hold rows of before an instant.
_UNCHECKED = (
    "select d.delivery_id from ledger.deliveries d"
    " left join ledger.expiry_checks c using (delivery_id)"
    " where d.source = %(source)s and d.entity = %(entity)s"
    " and (c.delivery_id is null or c.expired_before < %(before)s"
    " or c.parts <> (select count(*) from ledger.parts p where p.delivery_id = d.delivery_id))"
)
_CHECKED = (
    "insert into ledger.expiry_checks (delivery_id, expired_before, parts)"
    " select d.delivery_id, %(before)s, (select count(*) from ledger.parts p"
    " where p.delivery_id = d.delivery_id) from ledger.deliveries d"
    " where d.delivery_id = any(%(checked)s) on conflict (delivery_id) do update set"
    " expired_before = excluded.expired_before, parts = excluded.parts"
)
_NO_ROW = "select 0 as part_no, 0::bigint as _row_number where false"


@dataclass
class Expired:
    """What left (or would), by entity: rows of the raw zone, set aside rows, files set aside whole.

    `landing`: landed files that hold such rows, or rows of erased persons, and are not ours to
    remove.
    """

    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    landing: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows left, files set aside whole not counted."""
        return sum(raw + aside for raw, aside, _ in self.counts.values())


@dataclass(frozen=True)
class _Period:
    """The period of one entity, and which of its deliveries have to be looked at."""

    contract: Contract
    retention: Retention
    before: datetime
    unchecked: frozenset[str]

    def age_sql(self, time: str, loaded_at: str) -> str:
        """SQL: from when a row is (naive UTC), by its delivered time and when it was loaded."""
        kind = self.contract.by_delivered[self.retention.since].type
        # least() passes over what is NULL
        return f"least({time_expression(time, kind)}, {loaded_at})"

    @property
    def limit(self) -> str:
        """SQL: the instant."""
        return f"timestamp '{self.before.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"


@dataclass(frozen=True)
class _ExpiringRaw(RawZone):
    run_id: str
    period: _Period

    def expire(self, mark: str) -> int:
        """Take out what is past the period; returns how many rows."""
        contract = self.period.contract
        with entity_lock(self.settings, self.connection, contract):
            parts = self._list_parts(contract)
            new = [part for part in parts if part.delivery_id in self.period.unchecked]
            self._find(contract, new)
            rows = self._count_found()[0]
            if rows:
                self._find(contract, parts)
                rows = self._count_found()[0]
                self._replace(contract, parts, mark)
            self.lake.remove_orphans(contract, all_parts(self.connection, contract))
        return rows

    def count_due(self) -> int:
        """How many rows would go."""
        parts = self._list_parts(self.period.contract)
        self._find(
            self.period.contract, [p for p in parts if p.delivery_id in self.period.unchecked]
        )
        return self._count_found()[0]

    def _find(self, contract: Contract, parts: list[HeldPart]) -> None:
        query = _NO_ROW
        if parts:
            self._register(parts)
            self._register_ages(parts)
            age = self.period.age_sql(quoted(self.period.retention.since), "loaded_at")
            query = (
                f"select part_no, _row_number from {self._relation(contract, parts)}"  # noqa: S608
                f" join ages using (part_no) where {age} < {self.period.limit}"
            )
        # no naming has this number: no cell of another row is emptied
        self.duck.execute(
            "create or replace temp table found as"  # noqa: S608 - contracts
            f" select *, -1 as number, true as is_own from ({query})"
        )

    def _register_ages(self, parts: list[HeldPart]) -> None:
        loaded: dict[str, datetime] = dict(
            self.connection.execute(
                "select part, loaded_at at time zone 'UTC' from ledger.parts where part = any(%s)",
                [[part.path for part in parts]],
            ).fetchall()
        )
        self.duck.execute(
            "create or replace temp table ages as select unnest($numbers::integer[]) as part_no,"
            " unnest($ages::timestamp[]) as loaded_at",
            {
                "numbers": list(range(len(parts))),
                "ages": [loaded[part.path] for part in parts],
            },
        )

    def _note(self, delivery_id: str, rows: int) -> None:
        _record(self.connection, (delivery_id, "raw", rows), self.period, self.run_id)


@dataclass(frozen=True)
class _ExpiringQuarantine(Quarantine):
    run_id: str
    period: _Period

    def _find_rows(self, contract: Contract) -> Iterator[tuple[SetAside, pa.Array]]:
        held = {
            str(rows_file(self.settings, contract.source, contract.entity, one.sha256)): one
            for one in self._list(contract, "status = 'loaded'")
            if one.id in self.period.unchecked
        }
        loaded = self._loaded_at(list(held.values()))
        time = f"json_extract_string(record, {literal(json_path(self.period.retention.since))})"
        for file, one in held.items():
            age = self.period.age_sql("time", f"timestamp '{loaded[one.id]}'")
            try:
                found = self.duck.execute(
                    f"select line from (select line, {time} as time"  # noqa: S608 - contracts
                    f" from read_parquet({literal(file)})) where {age} < {self.period.limit}"
                ).to_arrow_table()
            except self._missing:
                continue
            if found.num_rows:
                yield one, pc.unique(found["line"])

    @property
    def _missing(self) -> type[Exception]:
        import duckdb

        return duckdb.IOException

    def _find_files(self, contract: Contract) -> Iterator[SetAside]:
        due = [
            one
            for one in self._list(
                contract,
                "status = 'quarantined' and delivery_id not in"
                " (select delivery_id from erasure.named_files where is_dropped)",
            )
            if one.id in self.period.unchecked
        ]
        loaded = self._loaded_at(due)
        before = self.period.before.astimezone(UTC).replace(tzinfo=None)
        yield from (one for one in due if loaded[one.id] < before)

    def _loaded_at(self, deliveries: list[SetAside]) -> dict[str, datetime]:
        """When each was loaded (naive UTC)."""
        return dict(
            self.connection.execute(
                "select delivery_id, loaded_at at time zone 'UTC' from ledger.deliveries"
                " where delivery_id = any(%s)",
                [[one.id for one in deliveries]],
            ).fetchall()
        )

    def _note(self, delivery_id: str, rows: int, *, is_whole: bool) -> None:
        layer = "quarantined file" if is_whole else "quarantine"
        _record(self.connection, (delivery_id, layer, rows), self.period, self.run_id)


def _record(
    connection: psycopg.Connection, gone: tuple[str, str, int], period: _Period, run_id: str
) -> None:
    delivery_id, layer, rows = gone
    if rows or layer == "quarantined file":
        connection.execute(
            "insert into ledger.expirations (delivery_id, layer, rows, expired_before, run_id)"
            " values (%s, %s, %s, %s, %s)",
            [delivery_id, layer, rows, period.before, run_id],
        )


def expire(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    as_of: datetime,
    progress: Callable[[str], None],
) -> Expired:
    """Let go what is past its period at `as_of`; may be repeated. The caller may build."""
    expired = Expired()
    with _opened(settings) as (connection, duck, folder):
        for period in _list_periods(connection, contracts, as_of):
            progress(f"retention: {period.contract.name}")
            aside = _ExpiringQuarantine(settings, connection, duck, run.run_id, period)
            raw = _ExpiringRaw(
                settings, connection, duck, folder, datetime.now(UTC), run.run_id, period
            )
            # first the quarantine: parts of replays tell which of its rows were replayed
            rows, files = aside.erase(period.contract)
            loaded = raw.expire(f"r{period.before.astimezone(UTC):%Y%m%d}")
            if loaded or rows or files:
                expired.counts[period.contract.name] = (loaded, rows, files)
            checked = {"checked": list(period.unchecked), "before": period.before}
            connection.execute(_CHECKED, checked)
        expired.landing = remove_or_tell_named(settings, connection)
    if expired.rows:
        _remove_working_file(settings)
    return expired


def count_expired(settings: Settings, contracts: Contracts, as_of: datetime) -> Expired:
    """What would go; nothing is changed."""
    expired = Expired()
    with _opened(settings) as (connection, duck, folder):
        for period in _list_periods(connection, contracts, as_of):
            aside = _ExpiringQuarantine(settings, connection, duck, "", period)
            raw = _ExpiringRaw(settings, connection, duck, folder, datetime.now(UTC), "", period)
            rows, files = aside.count(period.contract)
            counts = (raw.count_due(), rows, files)
            if any(counts):
                expired.counts[period.contract.name] = counts
        expired.landing = tell_named(settings, connection)
    return expired


@contextmanager
def _opened(
    settings: Settings,
) -> "Iterator[tuple[psycopg.Connection, DuckDBPyConnection, Path]]":
    with (
        connect(settings.acting_as(LOADER), autocommit=True) as connection,
        open_workspace(settings) as folder,
        open_duckdb(settings) as duck,
    ):
        duck.execute("set timezone = 'UTC'")
        yield connection, duck, folder


def _list_periods(
    connection: psycopg.Connection, contracts: Contracts, as_of: datetime
) -> Iterator[_Period]:
    """The entities that have a period, and something that was not looked at since it moved on."""
    for contract in contracts.values():
        if contract.retention is None:
            continue
        before = cutoff(contract.retention, as_of)
        of_entity = {"source": contract.source, "entity": contract.entity, "before": before}
        unchecked = frozenset(row[0] for row in connection.execute(_UNCHECKED, of_entity))
        if unchecked:
            yield _Period(contract, contract.retention, before, unchecked)


def _remove_working_file(settings: Settings) -> None:
    """It is made anew from what is left: DuckDB keeps the bytes of rows that were deleted."""
    for file in settings.warehouse_file.parent.glob(f"{settings.warehouse_file.name}*"):
        file.unlink()
