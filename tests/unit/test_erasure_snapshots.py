"""Who is erased leaves every store of a snapshot, and all stores still hold the same."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from erasure_cases import publish, write_map, write_working_file

from zhongtai.database import connect
from zhongtai.erasure import leaves, snapshots
from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.selection import write_erased
from zhongtai.erasure.snapshots import STORE, Snapshots
from zhongtai.ingest.drain import open_duckdb
from zhongtai.publish import duckdb_store, postgres_leaves, postgres_store, publisher
from zhongtai.publish.content import duckdb_hash, is_copy
from zhongtai.settings import Settings

# all that tells of u_b, but a history of ids
TOUCHED = {
    *("bridge_user_identifiers", "bridge_user_records", "bridge_user_vehicles"),
    *("dim_user_tags", "dim_users"),
}


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@pytest.fixture(params=[postgres_leaves.ROWS_TO_SPLIT, 3], ids=["whole", "split"])
def published(
    settings: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> str:
    monkeypatch.setattr(postgres_leaves, "ROWS_TO_SPLIT", request.param)
    monkeypatch.setattr(publisher, "commit_identity", write_map)
    monkeypatch.setattr(snapshots, "ready_bitmaps", lambda *_: None)
    write_working_file(settings)
    return publish(settings, connection)


@pytest.fixture
def sent_anew(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables of which PostgreSQL was sent all that is left."""
    sent: list[str] = []
    replace_part = snapshots.replace_part

    def replace(connection, engine, table, *rest) -> None:  # type: ignore[no-untyped-def]
        sent.append(table.name)
        replace_part(connection, engine, table, *rest)

    monkeypatch.setattr(snapshots, "replace_part", replace)
    return sent


def erase(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> int:
    with open_duckdb(settings) as duck:
        duck.execute("set timezone = 'UTC'")
        write_erased(duck, WANTED_SCHEMA.empty_table(), ["u_b"])
        return Snapshots(settings, connection, duck).erase(snapshot_id)


def check_stores(settings: Settings, connection: psycopg.Connection, snapshot_id: str) -> None:
    """Every store holds the others, and what is recorded of each is what a new look finds."""
    manifest = settings.path("published", "parquet", snapshot_id, "manifest.json")
    told = {one["table"]: one for one in json.loads(manifest.read_text("utf-8"))["tables"]}
    parts = {
        row[0]: row[1:]
        for row in connection.execute(
            "select table_name, rows, content_hash, part_name from publication.parts"
            " where store = %s and snapshot_id = %s",
            [STORE, snapshot_id],
        ).fetchall()
    }
    with duckdb_store.open_staged(settings, snapshot_id, staged=False) as engine:
        tables = snapshots._read_tables(engine, STORE)
        assert {table.name for table in tables} == set(parts) > TOUCHED
        for table in tables:
            found = duckdb_hash(engine, table, f"{STORE}.main.{table.name}")
            rows, content_hash, part = parts[table.name]
            assert (rows, content_hash) == (found.rows, found.content_hash)
            entry = told[table.name]
            assert (entry["rows"], entry["content_hash"]) == (found.rows, found.content_hash)
            stored = postgres_store.hash_rows(connection, table, f'profiles_data."{part}"')
            assert is_copy(found, *stored)
            file = manifest.parent / entry["path"]
            assert duckdb_hash(engine, table, f"read_parquet('{file}')") == found
            if table.has("one_id") and table.name != "fct_identity_changes":
                query = f"select count(*) from profiles.{table.name} where one_id = 'u_b'"
                assert connection.execute(query.encode()).fetchone() == (0,)


def test_what_stays_is_left_in_place(
    settings: Settings, connection: psycopg.Connection, published: str, sent_anew: list[str]
) -> None:
    assert erase(settings, connection, published) == 12
    check_stores(settings, connection, published)
    assert sent_anew == []
    assert erase(settings, connection, published) == 0
    check_stores(settings, connection, published)


def test_what_another_try_left_undone_is_sent_anew(
    settings: Settings,
    connection: psycopg.Connection,
    published: str,
    sent_anew: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "leave_rest", die)
        with pytest.raises(RuntimeError):
            erase(settings, connection, published)
    assert erase(settings, connection, published) == 0
    assert set(sent_anew) == TOUCHED
    check_stores(settings, connection, published)


def list_leaf_names(connection: psycopg.Connection, table: str) -> dict[str, str]:
    """The table of each leaf of a partition, by what belongs into it."""
    row = connection.execute(
        "select part_name from publication.parts where table_name = %s", [table]
    ).fetchone()
    assert row
    leaves = postgres_leaves.list_leaves(connection, "profiles_data", row[0]).values()
    return {leaf.signs: leaf.name for leaf in leaves}


def list_unknown(connection: psycopg.Connection) -> list[str]:
    """Tables that are no partition of anything."""
    return [
        row[0]
        for row in connection.execute(
            "select relname from pg_class where relkind in ('r', 'p') and not relispartition"
            " and relnamespace = 'profiles_data'::regnamespace and relname not in"
            " (select table_name from publication.parts)"
        )
    ]


@pytest.mark.parametrize("published", [3], indirect=True)
def test_only_leaves_that_hold_the_person_are_written_anew(
    settings: Settings, connection: psycopg.Connection, published: str
) -> None:
    before = list_leaf_names(connection, "dim_users")
    assert len(before) == 5
    assert erase(settings, connection, published) == 12
    after = list_leaf_names(connection, "dim_users")
    assert {signs for signs in before if before[signs] != after[signs]} == {"89ab"}
    assert list_unknown(connection) == []


@pytest.mark.parametrize("published", [3], indirect=True)
@pytest.mark.parametrize("point", ["erase.part_left", "erase.part_swapped"])
def test_leaves_of_a_try_that_died_are_not_left_behind(
    settings: Settings,
    connection: psycopg.Connection,
    published: str,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    def die(reached: str) -> None:
        if reached == point:
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(leaves, "reach", die)
        with pytest.raises(RuntimeError):
            erase(settings, connection, published)
    assert bool(list_unknown(connection)) == (point == "erase.part_left")
    assert erase(settings, connection, published) == 0
    assert list_unknown(connection) == []
    check_stores(settings, connection, published)


def test_a_partition_that_would_lose_other_rows_is_sent_anew(
    settings: Settings, connection: psycopg.Connection, published: str, sent_anew: list[str]
) -> None:
    for table, change in (("dim_users", "name = 'x'"), ("dim_user_tags", "one_id = 'u_x'")):
        part = connection.execute(
            "select part_name from publication.parts where table_name = %s", [table]
        ).fetchone()
        assert part
        query = f"update profiles_data.\"{part[0]}\" set {change} where one_id = 'u_b'"
        assert connection.execute(query.encode()).rowcount == 1
    assert erase(settings, connection, published) == 12
    assert sorted(sent_anew) == ["dim_user_tags", "dim_users"]
    check_stores(settings, connection, published)
