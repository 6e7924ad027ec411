"""Publishing what identity makes of the simulation, deciding about it, and rolling back."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
from simulated_evidence import write_evidence
from simulated_ledger import Mark
from simulated_persons import Partition
from simulated_product import Product

from zhongtai import gate, identity, warehouse
from zhongtai.erasure.erasures import erase_person, find_published, read_identifier
from zhongtai.erasure.sweep import complete_erasures
from zhongtai.identity.decisions import decide, undo_decision
from zhongtai.identity.references import Reference
from zhongtai.publish import duckdb_store, publisher, rollback
from zhongtai.publish.candidates import (
    Candidate,
    load_candidate,
    make_snapshot_id,
    record_content,
    seal_candidate,
)
from zhongtai.quality.results import result
from zhongtai.runs import Run
from zhongtai.transform import run_dbt

from publish_cases import CHECK

# The least that publishing, erasing and deciding read of what is published.
_TABLES = {
    "profiles.bridge_user_records": "select source, entity, record_key, one_id, linked_by from"
    " identity.record_map",
    "profiles.bridge_user_identifiers": "select distinct identifier_type, identifier_scope,"
    " identifier_value, one_id, false as is_shared from intermediate.int_identity_evidence join"
    " identity.record_map using (source, entity, record_key)",
    "profiles.bridge_user_vehicles": "select '' as one_id, '' as vin, '' as role,"
    " timestamp '2026-01-01' as valid_from, null::timestamp as valid_to where false",
    "profiles.dim_users": "select distinct one_id, null::varchar as name,"
    " null::date as birth_date from identity.record_map",
    "profiles.dim_user_tags": "select distinct one_id, true as is_known from identity.record_map",
    "profiles.fct_identity_changes": "select changed_at, change, one_id, previous_one_id,"
    " record_count from identity.changes",
    "profiles.one_id_redirects": "select retired_one_id, one_id from identity.redirects",
    "metrics.metrics_persons": "select entity, count(distinct one_id) as persons,"
    " count(*) as records from identity.record_map group by entity",
    "metrics.meta_snapshots": "select 'earlier' as snapshot_id,"
    " timestamp '2026-03-01 08:00:00' as as_of",
}
_RECORDS = "select source || '.' || entity, record_key, one_id from {}bridge_user_records"


@dataclass
class Publication:
    """The published side of a simulated home. With `uses_models` staging is built by dbt."""

    product: Product
    uses_models: bool = False

    def publish(self, as_of: datetime, *, kill_at: int = 0) -> None:
        """Resolve what is loaded and publish it."""

        def work() -> None:
            with self.product.run("build", as_of) as (connection, run):
                settings, contracts = self.product.settings, self.product.contracts
                complete_erasures(settings, contracts, connection, run.run_id, lambda _: None)
                self._build(run)
                candidate = self._seal(connection, run)
                publisher.publish_candidate(settings, connection, candidate)

        self.product.do(work, kill_at, apart=self.uses_models)

    def _build(self, run: Run) -> None:
        settings = self.product.settings
        if self.uses_models:
            warehouse.prepare(settings, self.product.contracts, run)
            for step in ("staging", "evidence"):
                run_dbt(settings, run, step)
        else:
            with warehouse.open_build(settings) as build:
                parts = {contract.name: files for contract, files in self.product.parts()}
                write_evidence(build, parts)
        identity.resolve(settings, run)
        with warehouse.open_build(settings) as build:
            for table, query in _TABLES.items():
                build.execute(f"create schema if not exists {table.split('.')[0]}")
                build.execute(f"create or replace table {table} as {query}")

    def _seal(self, connection: psycopg.Connection, run: Run) -> Candidate:
        settings = self.product.settings
        fingerprint = hashlib.sha256(run.run_id.encode()).hexdigest()
        with warehouse.open_build(settings) as build:
            version = build.execute("select identity_version from identity.version").fetchall()
            candidate = Candidate(
                make_snapshot_id(run.as_of, run.run_id, fingerprint), run.run_id, run.as_of,
                fingerprint, str(version[0][0]), datetime.now(UTC),
            )  # fmt: skip
            seal_candidate(build, connection, candidate)
        _, hashes = duckdb_store.hash_candidate(settings, candidate)
        record_content(connection, candidate, hashes)
        judged = load_candidate(connection, snapshot_id=candidate.snapshot_id)
        gate.accept(connection, judged, gate.decide([result(CHECK, "passed", "")], [CHECK]))
        return load_candidate(connection, snapshot_id=candidate.snapshot_id)

    def list_kept(self) -> list[str]:
        """The snapshots that a rollback can show."""
        return sorted(publisher.list_complete(self.product.settings, self.product.connection))

    def roll_back(self, snapshot_id: str, *, kill_at: int = 0) -> None:
        """Show an earlier snapshot."""
        self.product.do(lambda: rollback(self.product.settings, snapshot_id), kill_at)

    def erase(self, as_of: datetime, kind: str, value: str, *, kill_at: int = 0) -> None:
        """Erase the person that the published snapshot knows by an identifier."""
        settings = self.product.settings
        person = find_published(settings, read_identifier(f"{kind}={value}"))

        def work() -> None:
            with self.product.run("erase", as_of) as (connection, run):
                erase_person(
                    settings, self.product.contracts, connection, run, person,
                    author="simulation", because="asked", progress=lambda _: None,
                )  # fmt: skip

        self.product.do(work, kill_at)

    def decide(self, kind: str, one: Mark, other: Mark) -> int:
        """Record a decision (merge or split); returns its id."""
        left, right = (Reference(*mark[0].split("."), mark[1]) for mark in (one, other))
        made = decide(
            self.product.settings, kind, left, right, author="simulation", because="drawn"
        )  # type: ignore[arg-type]
        return made.decision_id

    def undo(self, decision_id: int) -> None:
        """Take a decision back."""
        undo_decision(self.product.settings, decision_id, author="simulation", because="drawn")

    def persons(self) -> dict[str, Partition]:
        """Who is one person, by every store, which must say the same of one snapshot."""
        settings = self.product.settings
        link = settings.path("published", "profiles", "current.duckdb")
        found: dict[str, Partition] = {}
        with duckdb.connect(str(link.resolve()), read_only=True) as profiles:
            found[f"duckdb {link.resolve().stem}"] = _group(
                profiles.execute(_RECORDS.format("")).fetchall()
            )
        rows = self.product.connection.execute(_RECORDS.format("profiles.")).fetchall()
        shown = publisher.current_snapshot(self.product.connection)
        found[f"postgres {shown}"] = _group(rows)
        folder = settings.path("published", "parquet", "current").resolve()
        file = Path(folder, "profiles", "bridge_user_records.parquet")
        rows = duckdb.execute(
            f"select source || '.' || entity, record_key, one_id from '{file}'"
        ).fetchall()
        found[f"parquet {folder.name}"] = _group(rows)
        return found


def _group(rows: list[tuple[str, str, str]]) -> Partition:
    groups: dict[str, set[Mark]] = {}
    for entity, key, one_id in rows:
        groups.setdefault(one_id, set()).add((entity, key))
    return frozenset(frozenset(group) for group in groups.values())
