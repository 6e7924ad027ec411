"""Staging by delivery: any order, any batches and any repetition give what a rebuild gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from raw_parts import AS_OF, deliver
from staging_project import copy_staging
from zhongtai import warehouse
from zhongtai.contracts import load_contracts
from zhongtai.database import connect
from zhongtai.runs import start_run
from zhongtai.settings import Settings, load_settings
from zhongtai.transform import run_dbt

TABLES = {
    "partner__rewards": [{"reward_id": "R0", "updated_at": "2026-03-01 00:00:00"}],
    "crm__wecom_contacts": [{"企微ExternalUserID": "w", "员工ID": "s", "更新时间": "2026-03-01"}],
    "app__events": [{"type": "track", "distinct_id": "d", "time": "1772690700000"}],
    "workforce__peer_reviews": [{"review_id": "P0", "reviewed_at": "2026-03-01"}],
}

Row = dict[str, str | None]


class Compiled(NamedTuple):
    """The SQL that dbt runs for a model: from nothing, and onto an existing table."""

    full: str
    incremental: str


@pytest.fixture(scope="module")
def home(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home where all of staging was built twice: from nothing, then incrementally."""
    folder, _, template = postgres_server.partition("?")
    server, _, name = folder.rpartition("/")
    project = copy_staging(tmp_path_factory.mktemp("project"))
    with psycopg.connect(f"{server}/postgres?{template}", autocommit=True) as connection:
        connection.execute(f"create database staging_tests template {name}")
        yield load_settings(
            home=tmp_path_factory.mktemp("home"),
            project_dir=project,
            database_url=f"{server}/staging_tests?{template}",
        )
        connection.execute("drop database staging_tests with (force)")


@pytest.fixture(scope="module")
def compiled(home: Settings) -> dict[str, Compiled]:
    """The SQL of some models, by raw table."""
    contracts = load_contracts(home.project_dir)
    with connect(home) as connection:
        run = start_run(connection, "test", AS_OF)
    found: dict[str, list[str]] = {table: [] for table in TABLES}
    for number in range(2):
        for table, rows in TABLES.items():
            contract = contracts[table.replace("__", ".")]
            deliver(home, run, contract, rows, file=f"{number}.csv")
        warehouse.prepare(home, contracts, run)
        built = {
            n.node.removeprefix("model.zhongtai.stg_") for n in run_dbt(home, run, "staging").nodes
        }
        assert built >= (TABLES.keys() if number else {c.table for c in contracts.values()})
        for table in TABLES:
            (file,) = home.path("dbt", "target", "compiled").rglob(f"stg_{table}.sql")
            found[table].append(Path(file).read_text("utf-8"))
    for full, incremental in found.values():
        assert "union all" not in full
        assert "union all" in incremental
    return {table: Compiled(*queries) for table, queries in found.items()}


@pytest.fixture(scope="module")
def engine(home: Settings, compiled: dict[str, Compiled]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The seeds and vocabularies of the working file, and empty raw tables, in memory."""
    contracts = load_contracts(home.project_dir)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home.warehouse_file}' as built (read_only)")
        connection.execute("attach ':memory:' as build")
        for schema in ("raw", "staging", "meta", "seeds"):
            connection.execute(f"create schema build.{schema}")
        for kept in ("meta.known_values", "seeds.null_words", "seeds.placeholder_mobiles"):
            connection.execute(f"create table build.{kept} as from built.{kept}")
        for table in compiled:
            names = [*contracts[table.replace("__", ".")].by_delivered, "_extra", "_delivery_id"]
            texts = ", ".join(f'"{name}" text' for name in names)
            connection.execute(
                f"create table build.raw.{table} ({texts}, _row_number bigint,"
                " _delivery_order text, _as_of timestamp)"
            )
        yield connection


class Delivered(NamedTuple):
    """Rows of one file, and where it stands in the order of deliveries."""

    number: int
    rows: list[Row]


@st.composite
def arrivals(draw: st.DrawFn, rows: st.SearchStrategy[Row]) -> list[list[Delivered]]:
    """Batches of deliveries in any order, some delivered to staging a second time."""
    files = draw(st.lists(st.lists(rows, min_size=1, max_size=4), min_size=1, max_size=5))
    deliveries = [Delivered(number, found) for number, found in enumerate(files)]
    arriving = draw(st.permutations(deliveries))
    batches = []
    while arriving:
        size = draw(st.integers(1, len(arriving)))
        batches.append(list(arriving[:size]))
        arriving = arriving[size:]
    repeated = draw(st.lists(st.sampled_from(deliveries), max_size=2, unique_by=lambda d: d.number))
    return [*batches, repeated]


def rows_of(table: str) -> st.SearchStrategy[Row]:
    """Rows with few keys, so that keys repeat, and dirty versions."""
    version = st.sampled_from(
        ["2026-03-01 10:00:00", "2026/3/1 10:00", "2026-03-02", "2027-01-01", "null", None]
    )
    key = st.sampled_from(["a", " a ", "b"])
    columns: dict[str, dict[str, st.SearchStrategy[str | None]]] = {
        "partner__rewards": {
            "reward_id": key,
            "updated_at": version,
            "status": st.sampled_from(["0", "1", "9"]),
        },
        "crm__wecom_contacts": {
            "企微ExternalUserID": key,
            "员工ID": st.sampled_from(["s", "t"]),
            "更新时间": version,
            "手机号": st.sampled_from(["13812345678", "138****1234"]),
        },
        "app__events": {
            "type": st.just("track"),
            "distinct_id": key,
            "time": st.just("1772690700000"),
            "_track_id": st.sampled_from(["1", "2", None]),
            "_flush_time": st.sampled_from(["1772690700001", "1772690700002"]),
            "properties": st.sampled_from(['{"a": 1}', "{}", "broken"]),
        },
        "workforce__peer_reviews": {
            "review_id": key,
            "reviewed_at": version,
            "score": st.sampled_from(["90", "80"]),
        },
    }
    return st.fixed_dictionaries(columns[table])


def fill(engine: duckdb.DuckDBPyConnection, table: str, deliveries: list[Delivered]) -> None:
    """Make the raw table hold these deliveries."""
    engine.execute(f"delete from build.raw.{table}")
    for delivery in deliveries:
        for number, row in enumerate(delivery.rows):
            metadata = {
                "_delivery_id": f"d{delivery.number}",
                "_row_number": number,
                "_delivery_order": f"\tfile {delivery.number}",
                "_as_of": AS_OF.replace(tzinfo=None),
            }
            cells = row | metadata
            names = ", ".join(f'"{name}"' for name in cells)
            engine.execute(
                f"insert into build.raw.{table} ({names}) values ({', '.join('?' * len(cells))})",
                list(cells.values()),
            )


def stage(engine: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    """What dbt's delete+insert does with the rows of the query."""
    target = f"build.staging.stg_{table}"
    engine.execute(f"create or replace temp table batch as {query}")
    engine.execute(f"create table if not exists {target} as select * from batch limit 0")
    engine.execute(f"delete from {target} where record_key in (select record_key from batch)")
    engine.execute(f"insert into {target} by name select * from batch")


def staged(engine: duckdb.DuckDBPyConnection, table: str) -> list[tuple[object, ...]]:
    """Everything that the staging table holds."""
    found = engine.execute(f"from build.staging.stg_{table} order by record_key").fetchall()
    engine.execute(f"drop table build.staging.stg_{table}")
    return found


@pytest.mark.parametrize("table", TABLES)
def test_any_order_of_deliveries_gives_what_a_rebuild_gives(
    table: str, engine: duckdb.DuckDBPyConnection, compiled: dict[str, Compiled]
) -> None:
    @hypothesis_settings(
        max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(arrivals(rows_of(table)))
    def check(batches: list[list[Delivered]]) -> None:
        for number, batch in enumerate(batches):
            fill(engine, table, batch)
            stage(engine, table, compiled[table].incremental if number else compiled[table].full)
        by_delivery = staged(engine, table)
        fill(engine, table, list({d.number: d for batch in batches for d in batch}.values()))
        stage(engine, table, compiled[table].full)
        rebuilt = staged(engine, table)
        assert by_delivery == rebuilt
        keys = [row[0] for row in rebuilt]
        assert len(keys) == len(set(keys)) > 0

    check()


def test_the_newest_version_wins_then_the_later_delivery_then_the_later_row(
    engine: duckdb.DuckDBPyConnection, compiled: dict[str, Compiled]
) -> None:
    table = "partner__rewards"

    def reward(key: str, version: str, status: str) -> Row:
        return {"reward_id": key, "updated_at": version, "status": status}

    deliveries = [
        Delivered(1, [reward("newest", "2026-03-02", "1"), reward("tie", "2026-03-01", "0")]),
        Delivered(2, [reward("newest", "2026-03-01", "0"), reward("tie", "2026-03-01", "0")]),
        Delivered(3, [reward("tie", "2026/3/1", "2"), reward("tie", "2026-03-01", "3")]),
        Delivered(4, [reward("newest", "2027-01-01", "3"), reward("newest", "null", "3")]),
    ]
    fill(engine, table, deliveries)
    stage(engine, table, compiled[table].full)
    kept = engine.execute(f"select record_key, status from build.staging.stg_{table}").fetchall()
    staged(engine, table)
    assert dict(kept) == {"newest": "1", "tie": "3"}


def test_the_first_delivery_of_an_immutable_key_wins(
    engine: duckdb.DuckDBPyConnection, compiled: dict[str, Compiled]
) -> None:
    table = "workforce__peer_reviews"
    rows = [{"review_id": "P1", "reviewed_at": "2026-03-01", "score": s} for s in ("1", "2", "3")]
    fill(engine, table, [Delivered(2, rows[:1]), Delivered(1, rows[1:])])
    stage(engine, table, compiled[table].full)
    kept = engine.execute(f"select score from build.staging.stg_{table}").fetchall()
    staged(engine, table)
    assert kept == [(2.0,)]


def test_lines_without_a_track_id_are_told_apart_by_the_whole_line_but_its_flush_time(
    engine: duckdb.DuckDBPyConnection, compiled: dict[str, Compiled]
) -> None:
    table = "app__events"
    line = {"type": "profile_set", "distinct_id": "d", "time": "1772690700000"}
    rows: list[Row] = [
        {**line, "properties": '{"a": 1}', "_flush_time": "1772690700001"},
        {**line, "properties": '{"a": 1}', "_flush_time": "1772690700002"},
        {**line, "properties": '{"a": 2}', "_flush_time": "1772690700001"},
    ]
    fill(engine, table, [Delivered(1, rows)])
    stage(engine, table, compiled[table].full)
    kept = engine.execute(
        f"select properties, subject_key from build.staging.stg_{table} order by all"
    ).fetchall()
    staged(engine, table)
    assert kept == [('{"a": 1}', "d"), ('{"a": 2}', "d")]
