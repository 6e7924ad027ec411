"""A lost PostgreSQL comes back from one file, with everything that readers and runs rely on."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from zhongtai.backup import back_up, restore
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.publish import publisher
from zhongtai.settings import Settings

from publish_cases import build_candidate, everywhere, read_versions


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@pytest.fixture
def lost(settings: Settings, postgres_server: str) -> Iterator[Settings]:
    """The same home with another, empty database."""
    server = postgres_server.replace("/zhongtai_template", "/postgres")
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute("create database zhongtai_restored")
        yield settings.model_copy(
            update={
                "database_url": type(settings.database_url)(
                    server.replace("/postgres?", "/zhongtai_restored?")
                )
            }
        )
        administrator.execute("drop database zhongtai_restored with (force)")


def test_a_restored_database_shows_what_was_published_and_goes_on(
    settings: Settings,
    connection: psycopg.Connection,
    lost: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    first = publisher.publish_candidate(settings, connection, build_candidate(settings, connection))
    file = tmp_path / "backups" / "zhongtai.dump"
    assert back_up(settings, file) == file.stat().st_size > 1000
    assert file.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in file.parent.iterdir()] == [file.name]
    restore(lost, file)
    with connect(lost, autocommit=True) as restored:
        assert read_versions(lost, restored) == everywhere(first, 5)
        assert publisher.recover(lost, restored) == []
        readers = restored.execute(
            "select has_table_privilege('bi_reader', 'metrics.dim_series', 'select'),"
            " has_table_privilege('bi_reader', 'profiles.dim_users', 'select')"
        ).fetchone()
        assert readers == (True, False)
        second = publisher.publish_candidate(lost, restored, build_candidate(lost, restored, 7))
        assert read_versions(lost, restored) == everywhere(second, 7)


def test_a_database_in_use_is_never_overwritten(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "zhongtai.dump"
    back_up(settings, file)
    with pytest.raises(ConfigurationError, match="holds a ledger already"):
        restore(settings, file)
    with pytest.raises(ConfigurationError, match="is there already"):
        back_up(settings, file)


def test_a_file_that_is_no_backup_leaves_the_database_empty(lost: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        restore(lost, tmp_path / "nowhere")
    wrong = tmp_path / "wrong.dump"
    wrong.write_text("select 1;")
    with pytest.raises(ZhongtaiError, match="pg_restore failed"):
        restore(lost, wrong)
    with psycopg.connect(lost.database_url.get_secret_value()) as connection:
        assert connection.execute("select to_regnamespace('ledger')").fetchone() == (None,)


def test_a_backup_is_not_written_into_a_file_that_another_made_before(
    settings: Settings, tmp_path: Path
) -> None:
    with connect(settings):
        pass
    bait = tmp_path / f".zhongtai.dump.{os.getpid()}"
    bait.touch(mode=0o666)
    with bait.open("rb") as held:
        back_up(settings, tmp_path / "zhongtai.dump")
        assert held.read() == b""
    assert (tmp_path / "zhongtai.dump").stat().st_mode & 0o777 == 0o600


def test_a_backup_that_fails_leaves_no_file(settings: Settings, tmp_path: Path) -> None:
    gone = settings.model_copy(
        update={"database_url": type(settings.database_url)("postgresql:///nothing?host=/nowhere")}
    )
    with pytest.raises(ZhongtaiError, match="pg_dump failed"):
        back_up(gone, tmp_path / "zhongtai.dump")
    assert list(tmp_path.glob("*dump*")) == []


def test_a_backup_that_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*file/zt\.dump: "):
        back_up(settings, tmp_path / "file" / "zt.dump")
