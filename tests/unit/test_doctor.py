"""`zhongtai doctor`: a healthy home is called so, and each fault is named with what to do."""

import os
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.doctor import EXAMINATIONS, Diagnosis, Patient, examine
from zhongtai.home import secure_home
from zhongtai.ingest import drain
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.settings import Settings

from landing_cases import Landing
from publish_cases import build_candidate


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@pytest.fixture
def published(
    settings: Settings,
    connection: psycopg.Connection,
    landing: Landing,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A home with a loaded delivery and a snapshot."""
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    secure_home(settings)
    landing.deliver("dms.dealers", [{"经销商代码": "D1", "更新时间": "2026-03-01 10:00:00"}])
    drain(settings, landing.contracts, run)
    candidate = build_candidate(settings, connection, 2)
    return publisher.publish_candidate(settings, connection, candidate)


def wrong(settings: Settings) -> dict[str, Diagnosis]:
    return {one.name: one for one in examine(settings) if not one.is_healthy}


def test_a_healthy_home_has_no_symptom(settings: Settings, published: str) -> None:
    found = examine(settings)
    assert [one for one in found if not one.is_healthy] == []
    assert {one.name: one.looked_at for one in found}["snapshots"] == published
    assert len(found) >= 10


def break_modes(settings: Settings, _: psycopg.Connection) -> None:
    settings.path("quarantine").chmod(0o755)


def break_part(settings: Settings, _: psycopg.Connection) -> None:
    (part,) = settings.path("lake", "raw").rglob("*.parquet")
    part.unlink()


def leave_orphan(settings: Settings, _: psycopg.Connection) -> None:
    (part,) = settings.path("lake", "raw").rglob("*.parquet")
    part.with_name("0" * 64 + ".parquet").write_bytes(part.read_bytes())


def break_balance(_: Settings, connection: psycopg.Connection) -> None:
    connection.execute("alter table ledger.deliveries disable trigger user")
    for row in connection.execute(
        "select conname from pg_constraint where conrelid = 'ledger.deliveries'::regclass"
        " and contype = 'c' and pg_get_constraintdef(oid) like '%rows_in%rows_loaded%'"
    ).fetchall():
        connection.execute(f'alter table ledger.deliveries drop constraint "{row[0]}"'.encode())
    connection.execute("update ledger.deliveries set rows_in = rows_in + 1")


def break_store(settings: Settings, _: psycopg.Connection) -> None:
    settings.path("published", "metrics", "current.duckdb").resolve().unlink()


def leave_temporary_file(settings: Settings, _: psycopg.Connection) -> None:
    file = settings.path("tmp", "leftover")
    file.write_bytes(b"x")
    os.utime(file, (0, 0))


def open_ledger(_: Settings, connection: psycopg.Connection) -> None:
    connection.execute("grant usage on schema ledger to bi_reader")


def run_in_the_future(_: Settings, connection: psycopg.Connection) -> None:
    connection.execute("update ledger.runs set started_at = now() + interval '1 day'")


@pytest.mark.parametrize(
    ("breaks", "name", "told"),
    [
        (break_modes, "modes", "quarantine has mode 755"),
        (break_part, "raw zone", "is gone"),
        (leave_orphan, "raw zone", "1 parts are in no ledger row"),
        (break_balance, "ledger", "1 out of balance"),
        (break_store, "snapshots", "a store does not hold all of"),
        (leave_temporary_file, "leftovers", "1 leftovers in tmp/, leftover among them"),
        (open_ledger, "roles", "role bi_reader may enter schema ledger"),
        (run_in_the_future, "clocks", "runs began in the future"),
    ],
)
@pytest.mark.usefixtures("published")
def test_each_fault_is_named(
    settings: Settings,
    connection: psycopg.Connection,
    breaks: Callable[[Settings, psycopg.Connection], None],
    name: str,
    told: str,
) -> None:
    breaks(settings, connection)
    found = wrong(settings)
    assert told in " ".join(symptom.found for symptom in found[name].symptoms)
    assert all(symptom.what_to_do for one in found.values() for symptom in one.symptoms)


def test_a_raw_zone_outside_the_home_that_others_may_enter_is_named(
    settings: Settings, connection: psycopg.Connection, contracts: Contracts, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    elsewhere = settings.model_copy(update={"lake": str(tmp_path / "lake")})
    _, symptoms = EXAMINATIONS["modes"](Patient(elsewhere, contracts, connection))
    assert f"{tmp_path}/lake has mode 755" in [symptom.found for symptom in symptoms]


@pytest.mark.usefixtures("published")
def test_another_version_than_was_tested_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[str], str] = metadata.version

    def version(name: str) -> str:
        return "0.0.1" if name == "duckdb" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    (symptom,) = wrong(settings)["versions"].symptoms
    assert symptom.found.startswith("duckdb is 0.0.1")


@pytest.mark.usefixtures("published")
def test_a_full_disk_is_named_before_it_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from types import SimpleNamespace

    def usage(_: Any) -> SimpleNamespace:
        return SimpleNamespace(free=2**20)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert set(wrong(settings)) == {"disk"}
