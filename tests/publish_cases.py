"""A small working file made by hand, and the steps that bring it to a snapshot."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg

from zhongtai import gate
from zhongtai.publish import duckdb_store
from zhongtai.publish.candidates import (
    Candidate,
    load_candidate,
    make_snapshot_id,
    record_content,
    seal_candidate,
)
from zhongtai.quality.results import Check, result
from zhongtai.runs import start_run
from zhongtai.settings import Settings

STORES = ("postgres", "duckdb", "profiles", "parquet")
AS_OF = datetime(2026, 3, 31, 16, tzinfo=UTC)
CHECK = Check("gate", "looked_at_by_hand", "critical", "somebody has to look")

METRICS = {
    "metrics_lead_funnel_daily": (
        "select date '2026-03-01' + cast(i as integer) as date, 'East ''区' as region,"
        " cast(i as bigint) as leads_created, cast(i as bigint) as visit_rate_7d_num,"
        " cast(10 as bigint) as visit_rate_7d_den, i / 10.0::double as visit_rate_7d"
        " from range({n}) r(i)"
    ),
    "dim_series": "select * from (values ('S1', '星 SUV', null), ('S2', '', true))"
    " t(series_code, name, is_new)",
    "meta_snapshots": "select 'earlier' as snapshot_id, timestamp '2026-03-01 08:00:00' as as_of",
}
PROFILES = {
    "dim_users": (
        "select 'u_' || i as one_id, '张三' || i as name,"
        " case i when 1 then null when 2 then [] else ['a,b', 'c\"d', null] end as tags,"
        " timestamp '2026-03-31 15:59:59.123456' as last_seen_at, true as is_owner,"
        " cast(1.5 as decimal(9, 2)) as score, 'v0' as identity_version from range({n}) r(i)"
    )
}


def write_build(
    settings: Settings,
    n: int = 5,
    metrics: Mapping[str, str] = METRICS,
    profiles: Mapping[str, str] = PROFILES,
) -> None:
    """Fill the working file; `n` is the number of rows that tell one build from another."""
    settings.warehouse_file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(settings.warehouse_file) as build:
        for schema, tables in (("metrics", metrics), ("profiles", profiles)):
            build.execute(f"drop schema if exists {schema} cascade")
            build.execute(f"create schema {schema}")
            for name, query in tables.items():
                build.execute(f"create table {schema}.{name} as {query.format(n=n)}")
                build.execute(f"comment on table {schema}.{name} is 'about {name}'")
        build.execute("comment on column metrics.metrics_lead_funnel_daily.date is 'day''s date'")


def make_candidate(
    settings: Settings, connection: psycopg.Connection, n: int = 5, *, is_checked: bool = True
) -> Candidate:
    """Seal what is in the working file and record that the gate passed it, unless told not to."""
    run = start_run(connection, "test", AS_OF)
    candidate = Candidate(
        make_snapshot_id(AS_OF, run.run_id, f"input {n}"),
        run.run_id,
        AS_OF,
        f"input {n}",
        "v7",
        datetime.now(UTC),
    )
    with duckdb.connect(settings.warehouse_file) as build:
        seal_candidate(build, connection, candidate)
    _, hashes = duckdb_store.hash_candidate(settings, candidate)
    record_content(connection, candidate, hashes)
    judged = load_candidate(connection, snapshot_id=candidate.snapshot_id)
    if is_checked:
        gate.accept(connection, judged, gate.decide([result(CHECK, "passed", "")], [CHECK]))
    return load_candidate(connection, snapshot_id=candidate.snapshot_id)


def build_candidate(settings: Settings, connection: psycopg.Connection, n: int = 5) -> Candidate:
    """A checked candidate over a new working file."""
    write_build(settings, n)
    return make_candidate(settings, connection, n)


def read_versions(settings: Settings, connection: psycopg.Connection) -> dict[str, object]:
    """(snapshot id, rows) that each store shows now; None where it shows nothing."""
    query = "select min(snapshot_id), count(*) from {}metrics_lead_funnel_daily"
    found: dict[str, object] = dict.fromkeys(STORES)
    if connection.execute("select to_regclass('metrics.metrics_lead_funnel_daily')").fetchone()[0]:
        row = connection.execute(query.format("metrics.")).fetchone()
        found["postgres"] = row if row[0] else None
    link = settings.path("published", "metrics", "current.duckdb")
    if link.exists():
        with duckdb.connect(link.resolve(), read_only=True) as reader:
            found["duckdb"] = reader.execute(query.format("")).fetchone()
    link = settings.path("published", "profiles", "current.duckdb")
    if link.exists():
        with duckdb.connect(link.resolve(), read_only=True) as reader:
            found["profiles"] = reader.execute(
                "select min(snapshot_id), count(*) from dim_users"
            ).fetchone()
    folder = settings.path("published", "parquet", "current", "metrics")
    if folder.exists():
        found["parquet"] = duckdb.execute(
            "select min(snapshot_id), count(*) from"
            f" '{folder / 'metrics_lead_funnel_daily.parquet'}'"
        ).fetchone()
    return found


def everywhere(snapshot_id: str, rows: int) -> dict[str, object]:
    """What `read_versions` gives when every store shows this snapshot."""
    return dict.fromkeys(STORES, (snapshot_id, rows))


def visible_files(folder: Path) -> set[str]:
    """Names a reader sees in a folder."""
    return {f.name for f in folder.iterdir() if not f.name.startswith(".")}
