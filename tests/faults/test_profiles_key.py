"""With a key the files of `profiles` are unreadable without it; without one they are as ever."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import psycopg
import pytest
from canary_cases import all_forms, as_utf8, call, search, search_home
from erasure_cases import PERSONS, fill, values_of, write_map

from zhongtai import pipeline, publish
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.erasure import snapshots
from zhongtai.erasure.erasures import Asked, find_published
from zhongtai.errors import ConfigurationError
from zhongtai.publish import encryption, publisher
from zhongtai.publish.past import read_published
from zhongtai.publish.reading import published_tables
from zhongtai.runs import Run
from zhongtai.settings import Settings, load_settings

from landing_cases import Landing
from publish_cases import build_candidate, read_versions

KEY = "CANARY-KEY:a%b{{c}}$51"
MAGIC_NAME = "张三"


@pytest.fixture
def _any_random_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension that encrypts safely where it is installed; elsewhere any generator will do."""
    with duckdb.connect() as engine, suppress(duckdb.Error):
        engine.execute("load httpfs")
        return
    monkeypatch.setattr(
        encryption,
        "ready_cryptography",
        lambda engine: engine.execute("set force_mbedtls_unsafe = 'true'"),
    )


@pytest.fixture(autouse=True)
def _no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)


def with_key(settings: Settings, key: str) -> Settings:
    return settings.model_copy(update={"profiles_key": type(settings.profiles_key)(key)})


@pytest.fixture
def locked(_any_random_generator: None, settings: Settings) -> Settings:
    return with_key(settings, KEY)


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


def profile_files(settings: Settings) -> list[Path]:
    folders = (settings.path("published", "profiles"), settings.path("published", "parquet"))
    found = [f for folder in folders for f in folder.rglob("*") if f.is_file()]
    return [f for f in found if "profiles" in f.parts and not f.is_symlink()]


@pytest.mark.usefixtures("_any_random_generator")
def test_no_byte_of_a_person_is_readable_without_the_key(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = MAGIC_NAME.encode()
    publisher.publish_candidate(settings, connection, build_candidate(settings, connection))
    plain = {f.suffix for f in profile_files(settings) if name in f.read_bytes()}
    assert ".duckdb" in plain
    locked = with_key(settings, KEY)
    second = publisher.publish_candidate(locked, connection, build_candidate(locked, connection, 7))
    files = [f for f in profile_files(locked) if second in str(f)]
    assert {f.suffix for f in files} == {".duckdb", ".parquet"}
    assert [f for f in files if name in f.read_bytes()] == []
    current = locked.path("published", "profiles", "current.duckdb")
    with pytest.raises(duckdb.CatalogException, match="without a key"):
        duckdb.connect(str(current.resolve()), read_only=True)
    parquet = next(f for f in files if f.suffix == ".parquet")
    with pytest.raises(duckdb.Error):
        duckdb.execute("from read_parquet(?)", [str(parquet)]).fetchall()
    metrics = locked.path("published", "metrics", "current.duckdb")
    assert not encryption.is_encrypted(metrics.resolve())


def test_who_has_the_key_reads_all_of_it(locked: Settings, connection: psycopg.Connection) -> None:
    publisher.publish_candidate(locked, connection, build_candidate(locked, connection))
    with encryption.open_published(
        locked, locked.path("published", "profiles", "current.duckdb")
    ) as profiles:
        assert profiles.execute("select count(*), min(name) from dim_users").fetchone() == (
            5,
            f"{MAGIC_NAME}0",
        )
    assert ("profiles", "dim_users", 5) in [row[:3] for row in published_tables(locked)]
    with duckdb.connect() as working:
        working.execute("create table seen (one_id varchar, name varchar)")
        columns = {"one_id": "varchar", "name": "varchar"}
        read_published(locked, working, "seen", ("profiles", "dim_users"), columns)
        assert working.execute("select count(*) from seen").fetchone() == (5,)


@pytest.mark.parametrize(
    ("key", "told"), [("", "is empty"), ("another key, and long", "another key")]
)
def test_a_wrong_key_is_named_and_not_shown(
    locked: Settings, connection: psycopg.Connection, key: str, told: str
) -> None:
    publisher.publish_candidate(locked, connection, build_candidate(locked, connection))
    current = locked.path("published", "profiles", "current.duckdb")
    with (
        pytest.raises(ConfigurationError, match=told) as refused,
        encryption.open_published(with_key(locked, key), current),
    ):
        pass
    assert search(as_utf8(repr(refused.value) + str(refused.getrepr())), all_forms([KEY])) == set()


@pytest.mark.parametrize("key", ["short", KEY + "'", KEY + "\\x41", KEY + "\n", KEY + "钥"])
def test_a_key_that_duckdb_would_read_otherwise_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="16 printable") as refused:
        load_settings(profiles_key=key)
    assert key not in str(refused.value)
    assert KEY not in str(refused.value)
    assert load_settings(profiles_key=KEY).profiles_key.get_secret_value() == KEY


@pytest.mark.usefixtures("_any_random_generator")
def test_a_key_may_come_later_and_earlier_snapshots_can_still_be_shown(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = publisher.publish_candidate(settings, connection, build_candidate(settings, connection))
    locked = with_key(settings, KEY)
    second = publisher.publish_candidate(locked, connection, build_candidate(locked, connection, 7))
    publish.rollback(locked, first)
    assert read_versions(locked, connection)["profiles"] == (first, 5)
    publish.rollback(locked, second)
    assert publish.recover(locked) == []


def test_an_erased_person_leaves_encrypted_snapshots_as_well(
    locked: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", write_map)
    monkeypatch.setattr(snapshots, "ready_bitmaps", lambda *_: None)
    fill(locked, contracts, run, landing)
    asked = Asked("mobile", f"+86{PERSONS['BRAVO']['mobile']}")
    assert find_published(locked, asked).one_id == "u_b"
    pipeline.erase(locked, asked, author="mei", because="ticket")
    current = locked.path("published", "profiles", "current.duckdb")
    assert encryption.is_encrypted(current.resolve())
    with encryption.open_published(locked, current) as profiles:
        left = profiles.execute("select one_id from dim_users order by 1").fetchall()
        cells = repr(profiles.execute("from bridge_user_identifiers").fetchall())
    assert left == [("u_a",), ("u_c",)]
    assert [value for value in values_of("BRAVO") if value in cells] == []
    with connect(locked) as database:
        assert database.execute("select count(*) from profiles.dim_users").fetchone() == (2,)


class Unable:
    """A DuckDB that has no httpfs."""

    def execute(self, query: str) -> None:
        raise duckdb.IOException(f"{query}: Extension httpfs not found")


def test_nothing_is_written_where_it_cannot_be_encrypted_safely(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = encryption.ready_cryptography
    monkeypatch.setattr(encryption, "ready_cryptography", lambda _: ready(Unable()))
    locked = with_key(settings, KEY)
    candidate = build_candidate(locked, connection)
    with pytest.raises(ConfigurationError, match="nothing to encrypt with"):
        publisher.publish_candidate(locked, connection, candidate)
    assert profile_files(locked) == []
    assert publish.current_snapshot(connection) is None


def test_the_key_is_nowhere_in_the_home_nor_in_what_is_told(
    locked: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish_candidate(locked, connection, build_candidate(locked, connection))
    for name, value in (
        ("HOME", str(locked.home)),
        ("DATABASE_URL", locked.database_url.get_secret_value()),
        ("PROFILES_KEY", "wrong " + KEY),
        ("LOG_LEVEL", "DEBUG"),
    ):
        monkeypatch.setenv(f"ZHONGTAI_{name}", value)
    commands = (["status"], ["doctor"], ["erase", "--identifier", "mobile=+8613900000000"])
    told = "".join(call(list(command), monkeypatch) for command in commands)
    told += f"{locked!r} {locked.model_dump_json()}"
    sought = all_forms([KEY])
    assert search(as_utf8(told), sought) == set()
    files, found = search_home(locked.home, sought)
    assert files >= 3
    assert found == {}
    stored = [f for f in locked.home.rglob("*") if f.is_file() and not f.is_symlink()]
    assert [f for f in stored if KEY.encode() in f.read_bytes()] == []
