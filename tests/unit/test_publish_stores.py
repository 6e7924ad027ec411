"""What the three stores hold after a publish."""

import hashlib
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pytest
import yaml

from zhongtai import gate
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.publish import arrival, postgres_store, publisher
from zhongtai.publish.candidates import Candidate
from zhongtai.publish.encryption import open_published
from zhongtai.publish.postgres_views import BreakingChangeError
from zhongtai.settings import Settings

from landing_cases import PROJECT
from publish_cases import (
    CHECK,
    METRICS,
    build_candidate,
    everywhere,
    make_candidate,
    read_versions,
    visible_files,
    write_build,
)


@pytest.fixture(autouse=True)
def committed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Snapshot ids whose identity map was committed; the hand-made file has no map."""
    done: list[str] = []
    monkeypatch.setattr(publisher, "commit_identity", lambda _, s: done.append(s))
    return done


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@pytest.fixture
def published(settings: Settings, connection: psycopg.Connection) -> str:
    candidate = build_candidate(settings, connection)
    return publisher.publish_candidate(settings, connection, candidate)


def test_every_store_shows_the_same_snapshot(
    settings: Settings, connection: psycopg.Connection, published: str, committed: list[str]
) -> None:
    assert read_versions(settings, connection) == everywhere(published, 5)
    assert committed == [published]
    state = connection.execute("select snapshot_id, state from ledger.snapshots").fetchall()
    assert state == [(published, "published")]


def test_values_arrive_unchanged_in_postgres(
    connection: psycopg.Connection, published: str
) -> None:
    assert connection.execute(
        "select one_id, name, tags, last_seen_at, is_owner, score, identity_version, snapshot_id"
        " from profiles.dim_users order by one_id limit 1"
    ).fetchall() == [
        (
            "u_0",
            "张三0",
            ["a,b", 'c"d', None],
            datetime(2026, 3, 31, 15, 59, 59, 123456, tzinfo=UTC),
            True,
            Decimal("1.50"),
            "v0",
            published,
        )
    ]
    assert connection.execute(
        "select tags from profiles.dim_users where one_id in ('u_1', 'u_2') order by one_id"
    ).fetchall() == [(None,), ([],)]
    assert connection.execute(
        "select series_code, name, is_new from metrics.dim_series order by 1"
    ).fetchall() == [("S1", "星 SUV", None), ("S2", "", True)]


def test_a_table_with_its_own_snapshot_id_keeps_it(
    settings: Settings, connection: psycopg.Connection, published: str
) -> None:
    rows = connection.execute("select snapshot_id from metrics.meta_snapshots").fetchall()
    assert rows == [("earlier",)]


def test_metrics_tables_carry_the_identity_version(
    connection: psycopg.Connection, published: str
) -> None:
    rows = connection.execute(
        "select distinct identity_version from metrics.metrics_lead_funnel_daily"
    ).fetchall()
    assert rows == [("v7",)]


def test_comments_reach_both_stores(
    settings: Settings, connection: psycopg.Connection, published: str
) -> None:
    column = connection.execute(
        "select col_description('metrics.metrics_lead_funnel_daily'::regclass, 1),"
        " obj_description('metrics.metrics_lead_funnel_daily'::regclass)"
    ).fetchone()
    assert column == ("day's date", "about metrics_lead_funnel_daily")
    file = settings.path("published", "metrics", f"{published}.duckdb")
    with duckdb.connect(file, read_only=True) as reader:
        assert reader.execute(
            "select comment from duckdb_columns() where table_name ="
            " 'metrics_lead_funnel_daily' and column_name = 'date'"
        ).fetchone() == ("day's date",)
        assert reader.execute(
            "select comment from duckdb_tables() where table_name = 'dim_series'"
        ).fetchone() == ("about dim_series",)


def test_files_have_their_modes_and_no_log(settings: Settings, published: str) -> None:
    def mode(*parts: str) -> int:
        return stat.S_IMODE(settings.path("published", *parts).stat().st_mode)

    assert mode("metrics", f"{published}.duckdb") == 0o444
    assert mode("profiles", f"{published}.duckdb") == 0o400
    assert mode("profiles") == 0o700
    assert mode("parquet", published, "profiles") == 0o700
    assert mode("parquet", published, "profiles", "dim_users.parquet") == 0o400
    assert visible_files(settings.path("published", "metrics")) == {
        f"{published}.duckdb",
        "current.duckdb",
    }


def test_files_are_written_for_duckdb_1_2(settings: Settings, published: str) -> None:
    file = settings.path("published", "metrics", f"{published}.duckdb")
    with duckdb.connect(file, read_only=True) as reader:
        tags = reader.execute("select tags from duckdb_databases() where not internal").fetchone()[
            0
        ]
    assert tags["storage_version"].startswith("v1.2")


def test_what_does_not_fit_into_memory_stays_below_the_home(
    settings: Settings, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings.path("tmp").mkdir(exist_ok=True)
    current = settings.path("published", "profiles", "current.duckdb")
    with open_published(settings, current) as opened:
        opened.execute("set memory_limit = '20MB'")
        opened.execute("create temp table large as select random() as r from range(5000000)")
        assert list(settings.path("tmp").glob("duckdb_temp*"))
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_manifest_describes_every_file(settings: Settings, published: str) -> None:
    folder = settings.path("published", "parquet", published)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["snapshot_id"] == published
    assert {t["path"] for t in manifest["tables"]} == {
        str(f.relative_to(folder)) for f in folder.rglob("*.parquet")
    }
    for table in manifest["tables"]:
        content = (folder / table["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == table["sha256"]
        count = duckdb.execute(f"select count(*) from '{folder / table['path']}'").fetchone()
        assert count == (table["rows"],)


def test_bi_reader_sees_metrics_only(connection: psycopg.Connection, published: str) -> None:
    connection.execute("set role bi_reader")
    try:
        count = connection.execute("select count(*) from metrics.dim_series").fetchone()
        assert count == (2,)
        for hidden in (
            "profiles.dim_users",
            "metrics_data.dim_series",
            "profiles_data.dim_users",
            "ledger.deliveries",
            "publication.pointer",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {hidden}")
    finally:
        connection.execute("reset role")


def test_profile_reader_sees_both_stores_and_cannot_write(
    connection: psycopg.Connection, published: str
) -> None:
    connection.execute("set role profile_reader")
    try:
        assert connection.execute("select count(*) from profiles.dim_users").fetchone() == (5,)
        assert connection.execute("select count(*) from metrics.dim_series").fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from profiles.dim_users")
    finally:
        connection.execute("reset role")
    assert connection.execute(
        "select bool_or(rolcanlogin) from pg_roles where rolname in ('bi_reader','profile_reader')"
    ).fetchone() == (False,)


def test_publishing_twice_is_publishing_once(
    settings: Settings, connection: psycopg.Connection, published: str
) -> None:
    from zhongtai import publish

    assert publish.publish(settings, published) == published
    assert connection.execute("select count(*) from publication.flips").fetchone() == (1,)


def test_equal_content_has_an_equal_hash_in_any_row_and_column_order(
    settings: Settings, connection: psycopg.Connection
) -> None:
    one = build_candidate(settings, connection)
    shuffled = dict(METRICS)
    shuffled["dim_series"] = (
        "select * from (values (true, 'S2', ''), (null, 'S1', '星 SUV'))"
        " t(is_new, series_code, name)"
    )
    write_build(settings, 5, shuffled)
    other = make_candidate(settings, connection)
    assert one.content_hash == other.content_hash
    shuffled["dim_series"] = shuffled["dim_series"].replace("星", "新")
    write_build(settings, 5, shuffled)
    changed = make_candidate(settings, connection)
    assert changed.content_hash != one.content_hash
    assert changed.tables["metrics.dim_series"] != one.tables["metrics.dim_series"]


def test_what_tells_of_arrival_changes_the_copy_and_not_the_content(
    settings: Settings, connection: psycopg.Connection
) -> None:
    def candidate(status: str, rows_in: int) -> Candidate:
        ledger = f"select 'a.csv' as file, '{status}' as status, {rows_in} as rows_in"
        write_build(settings, 5, METRICS | {"meta_ledger": ledger})
        return make_candidate(settings, connection)

    one, later, other = candidate("loaded", 3), candidate("duplicate", 3), candidate("loaded", 4)
    assert one.content_hash == later.content_hash != other.content_hash
    hashes = [c.tables["metrics.meta_ledger"] for c in (one, later, other)]
    assert hashes[0].content_hash == hashes[1].content_hash != hashes[2].content_hash
    assert len({table.copy_hash for table in hashes}) == 3


def test_what_tells_of_arrival_is_verified_like_the_rest(
    settings: Settings, connection: psycopg.Connection
) -> None:
    ledger = "select 'a.csv' as file, 'loaded' as status, 3 as rows_in"
    write_build(settings, 5, METRICS | {"meta_ledger": ledger})
    checked = make_candidate(settings, connection)
    with duckdb.connect(settings.warehouse_file) as build:
        build.execute("update metrics.meta_ledger set status = 'duplicate'")
    with pytest.raises(ZhongtaiError, match=r"metrics\.meta_ledger: 1 rows .* were checked"):
        publisher.publish_candidate(settings, connection, checked)


def test_what_is_declared_to_tell_of_arrival_is_published() -> None:
    published = {}
    for file in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.yml"):
        for model in yaml.safe_load(file.read_text("utf-8"))["models"]:
            columns = {column["name"] for column in model["columns"]}
            published[f"{file.parent.name}.{model['name']}"] = columns
    assert len(published) >= 30
    assert published.keys() >= arrival.TABLES
    for table, columns in arrival.COLUMNS.items():
        assert columns <= published[table], table
        assert not columns & arrival.RUN_COLUMNS
        assert arrival.is_content(table, "source")


def test_a_new_column_appears_and_dependent_views_stay(
    settings: Settings, connection: psycopg.Connection, published: str
) -> None:
    connection.execute("create view public.mine as select series_code from metrics.dim_series")
    wider = METRICS | {
        "dim_series": "select 'S1' as series_code, 7 as extra, '' as name, true as is_new"
    }
    write_build(settings, 6, wider)
    second = publisher.publish_candidate(
        settings, connection, make_candidate(settings, connection, 6)
    )
    cursor = connection.execute("select * from metrics.dim_series")
    assert [d.name for d in cursor.description] == [
        "series_code",
        "name",
        "is_new",
        "snapshot_id",
        "extra",
    ]
    assert cursor.fetchall() == [("S1", "", True, second, 7)]
    assert connection.execute("select * from public.mine").fetchall() == [("S1",)]
    connection.execute("set role bi_reader")
    assert connection.execute("select extra from metrics.dim_series").fetchall() == [(7,)]
    connection.execute("reset role")


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("select 'S1' as series_code, '' as name", "metrics.dim_series.is_new: the column is gone"),
        (
            "select 'S1' as series_code, '' as name, 1 as is_new",
            "metrics.dim_series.is_new: was boolean, is integer",
        ),
        (None, "metrics.dim_series: the table is gone"),
    ],
)
def test_a_breaking_change_is_refused_before_anything_is_shown(
    settings: Settings,
    connection: psycopg.Connection,
    published: str,
    query: str | None,
    complaint: str,
) -> None:
    tables = {k: v for k, v in (METRICS | {"dim_series": query}).items() if v}
    write_build(settings, 6, tables)
    candidate = make_candidate(settings, connection, 6)
    with pytest.raises(BreakingChangeError) as refused:
        publisher.publish_candidate(settings, connection, candidate)
    assert complaint in refused.value.message
    assert read_versions(settings, connection)["postgres"] == (published, 5)
    assert read_versions(settings, connection)["duckdb"] == (published, 5)
    assert visible_files(settings.path("published", "parquet")) == {published, "current"}


def test_a_type_no_store_shares_is_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    write_build(settings, 1, METRICS | {"dim_odd": "select {{'a': 1}} as pair"})
    with pytest.raises(ConfigurationError, match=r"metrics\.dim_odd\.pair has type STRUCT"):
        make_candidate(settings, connection)


def test_a_candidate_that_changed_after_its_check_is_refused(
    settings: Settings, connection: psycopg.Connection
) -> None:
    candidate = build_candidate(settings, connection)
    with duckdb.connect(settings.warehouse_file) as build:
        build.execute("update metrics.dim_series set name = 'changed' where series_code = 'S2'")
    with pytest.raises(ZhongtaiError, match=r"dim_series.*were checked"):
        publisher.publish_candidate(settings, connection, candidate)
    write_build(settings)
    make_candidate(settings, connection, 9)
    with pytest.raises(ZhongtaiError, match="not candidate"):
        publisher.publish_candidate(settings, connection, candidate)
    assert read_versions(settings, connection)["duckdb"] is None


@pytest.mark.parametrize("is_held", [True, False])
def test_what_did_not_pass_the_gate_is_not_published(
    settings: Settings, connection: psycopg.Connection, is_held: bool
) -> None:
    write_build(settings)
    candidate = make_candidate(settings, connection, is_checked=False)
    if is_held:
        gate.hold(connection, candidate, gate.decide([], [CHECK]))
    with pytest.raises(ZhongtaiError, match="has not passed its check"):
        publisher.publish_candidate(settings, connection, candidate)


def test_part_names_fit_and_differ() -> None:
    from zhongtai.publish.content import PublishedTable

    names = {
        postgres_store.part_name(
            PublishedTable("metrics", "metrics_" + "x" * 50 + suffix, "", ()),
            "20260331T160000Z-3f9a1c2b",
        )
        for suffix in ("a", "b")
    }
    assert len(names) == 2
    assert max(map(len, names)) <= 63
