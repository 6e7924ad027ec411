"""Forgotten means gone: from every byte below the home, and not let in again."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from erasure_cases import (
    HANDED_OVER,
    PERSONS,
    SHARED,
    contact,
    count_rows,
    event,
    fill,
    find_bytes,
    lead,
    read_report,
    values_of,
    write_map,
)
from typer.testing import CliRunner, Result

from zhongtai import pipeline
from zhongtai.cli import app
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.embedded_server import stop_embedded_server
from zhongtai.erasure import erasures, requests, snapshots, sweep
from zhongtai.erasure.erasures import Asked
from zhongtai.erasure.key import draw_key, key_file
from zhongtai.erasure.landed import remove_named
from zhongtai.erasure.persons import list_handovers
from zhongtai.erasure.reports import check_report
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.home import secure_home
from zhongtai.ingest import drain
from zhongtai.publish import publisher
from zhongtai.quality.balance import CHECKS
from zhongtai.quality.results import Evidence
from zhongtai.runs import start_run
from zhongtai.settings import Settings, load_settings

from landing_cases import Landing

BRAVO = Asked("mobile", f"+86{PERSONS['BRAVO']['mobile']}")


def ignore(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def home(contracts: Contracts) -> Iterator[Settings]:
    """A home with its own PostgreSQL, from which ALFA (who asked) and BRAVO were erased."""
    folder = Path(tempfile.mkdtemp(prefix="zt-er-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        # unless a setting says otherwise requests are carried out
        patch.delenv("ZHONGTAI_ERASE_ON_REQUEST")
        settings = load_settings(home=folder, stable_seconds=0, threads=2)
        patch.setattr(publisher, "commit_identity", write_map)
        patch.setattr(snapshots, "ready_bitmaps", lambda *_: None)
        try:
            _erase_two(settings, contracts)
            yield settings
        finally:
            stop_embedded_server(settings)
            shutil.rmtree(folder, ignore_errors=True)


def _erase_two(settings: Settings, contracts: Contracts) -> None:
    secure_home(settings)
    landing = Landing(Path(settings.landing_url), contracts)
    with connect(settings, autocommit=True) as connection:
        run = start_run(connection, "test")
        fill(settings, contracts, run, landing)
        everything = find_bytes(settings.home, values_of("ALFA") | values_of("BRAVO"))
        assert {file.split("/")[0] for file in everything} >= {
            *("landing", "lake", "quarantine", "warehouse", "identity", "published", "postgres"),
            *("exports", "docs", "logs"),
        }
        assert erasures.count_erasure(settings, BRAVO).counts["raw: rows"] == 5
        assert find_bytes(settings.home, values_of("BRAVO"))["lake/" + _part(connection)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweep, "erase_statements", _die)
            with pytest.raises(RuntimeError):
                erasures.erase_requested(settings, contracts, connection, run, ignore)
    # who comes next completes what was interrupted
    pipeline.erase(settings, BRAVO, author="mei", because="ticket 7")


def _die(*_: object) -> None:
    raise RuntimeError("killed")


def _part(connection: object) -> str:
    row = connection.execute(  # type: ignore[attr-defined]
        "select part from ledger.parts where part like '%%crm/contacts/%%'"
    ).fetchone()
    return str(row[0])


@pytest.mark.parametrize("name", ["ALFA", "BRAVO"])
def test_no_byte_of_an_erased_person_is_left(home: Settings, name: str) -> None:
    assert find_bytes(home.home, values_of(name)) == {}


def test_others_stay_as_they_were(home: Settings) -> None:
    kept = find_bytes(home.home, values_of("CHARLIE"))
    assert {file.split("/")[0] for file in kept} >= {"lake", "published", "postgres", "identity"}
    current = home.path("published", "profiles", "current.duckdb").resolve()
    with duckdb.connect(current, read_only=True) as profiles:
        assert profiles.execute("select one_id from dim_users").fetchall() == [("u_c",)]
        assert profiles.execute("select * from bridge_user_relationships").fetchall() == []
    with connect(home) as connection:
        rows = connection.execute("select one_id from profiles.dim_users").fetchall()
    assert rows == [("u_c",)]


def test_every_row_that_went_is_suppressed_and_every_layer_balances(home: Settings) -> None:
    with connect(home) as connection:
        assert count_rows(connection) == {
            "app/events/events.jsonl.gz": (9, 3, 0, 0, 6),
            "crm/contacts/data.csv": (3, 1, 0, 0, 2),
            "crm/erasure_requests/data.csv": (3, 2, 0, 0, 1),
            "crm/follow_ups/data.csv": (4, 1, 0, 0, 3),
            "crm/leads/data.csv": (4, 1, 0, 0, 3),
            "crm/leads/w.csv": (1, 0, 0, 0, 1),
        }
        evidence = Evidence(home, duckdb.connect(), connection, "")
        for check in CHECKS:
            finding = check.find(evidence)
            assert finding.is_good, finding


def test_who_handed_a_car_over_to_an_erased_person_does_not_get_it_back(home: Settings) -> None:
    with connect(home, autocommit=True) as connection:
        kept = connection.execute("select vin, taken_over_at from erasure.handovers").fetchall()
    assert kept == [(HANDED_OVER, datetime(2026, 1, 1, tzinfo=UTC))]


def test_only_cars_that_somebody_else_had_before_are_remembered() -> None:
    with duckdb.connect() as duck:
        duck.execute(
            "create table bridge_user_vehicles as select * from (values"
            " ('first', 'V', 'owner', timestamp '2025-01-01'),"
            " ('asks', 'V', 'owner', timestamp '2026-01-01'),"
            " ('next', 'V', 'owner', timestamp '2026-02-01'),"
            " ('asks', 'NEW', 'owner', timestamp '2026-01-01'),"
            " ('asks', 'NEW', 'owner', timestamp '2026-03-01'),"
            " ('first', 'DRIVEN', 'driver', timestamp '2025-01-01'),"
            " ('asks', 'DRIVEN', 'owner', timestamp '2026-01-01')"
            ") t(one_id, vin, role, valid_from)"
        )
        found = list_handovers(duck, "main", ["asks"])
    assert [(vin, f"{at:%F}") for vin, at in found] == [("V", "2026-01-01")]


def test_who_names_an_erased_person_in_passing_keeps_the_row(home: Settings) -> None:
    with connect(home) as connection:
        parts = [
            row[0] for row in connection.execute("select part from ledger.parts where rows > 0")
        ]
    files = {part.split("/")[2]: f"{home.lake_url}/{part}" for part in parts}
    (row,) = duckdb.execute(f"select 客户ID, 备用手机号 from '{files['contacts']}'").fetchall()
    assert row == (PERSONS["CHARLIE"]["crm_customer_id"], None)
    typed = duckdb.execute(f"select properties from '{files['events']}'").fetchall()
    assert [row for row in typed if "mobile" in row[0]] == [('{"mobile":""}',)]


def test_a_shared_or_unknown_value_erases_nobody_and_waits(home: Settings) -> None:
    with connect(home) as connection:
        left = requests.list_recorded(connection)
    assert [(one.request_id, one.reason) for one in left] == [("SQ2", "shared"), ("SQ3", "unknown")]
    with pytest.raises(ZhongtaiError, match="several persons") as refused:
        erasures.find_published(home, Asked("mobile", SHARED))
    assert SHARED not in str(refused.value)
    with pytest.raises(ConfigurationError, match="knows nobody"):
        erasures.find_published(home, BRAVO)
    with pytest.raises(ConfigurationError, match="TYPE=VALUE"):
        erasures.read_identifier("phone=1")


def test_the_history_of_ids_tells_of_an_erasure_once(home: Settings) -> None:
    (folder,) = home.path("identity").iterdir()
    told = duckdb.execute(
        f"select one_id, count(*) from '{folder}/changes.parquet' where change = 'erase' group by 1"
    )
    assert sorted(told.fetchall()) == [("u_a", 1), ("u_b", 1)]


def test_reports_are_shown_and_one_that_was_changed_is_told(home: Settings, tmp_path: Path) -> None:
    def tell(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["report", "erasure", *arguments, "--home", str(home.home)])

    files = sorted(home.path("erasure").glob("report-*.json"))
    shown = tell()
    assert shown.exit_code == 0
    assert shown.output.count("genuine") == len(files) >= 1
    listed = json.loads(tell("--json").output)
    assert sorted(Path(one["file"]) for one in listed) == files
    assert all(one["is_genuine"] and one["counts"] for one in listed)
    forged = tmp_path / "forged.json"
    forged.write_text(files[0].read_text("utf-8").replace("completed_at", "completed_then"))
    refused = tell(str(forged))
    assert "NOT GENUINE" in refused.output
    assert isinstance(refused.exception, ZhongtaiError)
    assert "forged.json" in str(refused.exception)
    for text in ("{", "[]", '{"signature": "x"}'):
        forged.write_text(text)
        assert isinstance(tell(str(forged)).exception, ConfigurationError)


def test_the_report_is_signed_and_tells_whom_to_tell(home: Settings) -> None:
    newest = max(home.path("erasure").glob("report-*.json"))
    assert check_report(home, newest).is_genuine
    forged = newest.with_name("forged.json")
    forged.write_text(newest.read_text("utf-8").replace("ticket 7", "ticket 8"), "utf-8")
    assert not check_report(home, forged).is_genuine
    forged.unlink()
    report = read_report(home)
    assert report["counts"]["exports"] == 1  # type: ignore[index]
    assert report["landing"] == []


def test_files_in_a_landing_zone_that_nobody_looks_at_are_told(
    home: Settings, tmp_path: Path
) -> None:
    elsewhere = home.model_copy(update={"landing": str(tmp_path)})
    with connect(home, autocommit=True) as connection:
        assert remove_named(home, connection) == []
        told = remove_named(elsewhere, connection)
    assert f"crm/contacts/data.csv (perhaps: it was delivered to {home.landing_url})" in told


def test_erased_persons_do_not_come_back_by_delivery(home: Settings, contracts: Contracts) -> None:
    landing = Landing(Path(home.landing_url), contracts)
    later = {"更新时间": "2026-03-09 10:00:00"}
    landing.deliver("crm.contacts", [contact(n, **later) for n in PERSONS], "again.csv")
    late_lead = {"线索唯一ID": "LEAD-NEW", "线索创建时间": "2099-01-01 00:00:00"}
    landing.deliver("crm.leads", [lead("BRAVO", 线索唯一ID="LEAD-OTHER"), lead("CHARLIE")], "b.csv")
    broken = f'{{"type": "tr {PERSONS["BRAVO"]["anonymous_id"]}\n'.encode()
    events = landing.content(contracts["app.events"], [event("ALFA", 50), event("CHARLIE", 51)])
    landing.deliver("app.events", events + broken, "again.jsonl")
    whole = landing.deliver("crm.leads", [lead("BRAVO", **late_lead)], "c.csv")
    for manifest in whole.parent.glob("c.csv.*.manifest.json"):
        manifest.unlink()
    landing.name_in_manifest(whole, rows=9)
    with connect(home, autocommit=True) as connection:
        drain(home, contracts, start_run(connection, "test"))
        rows = count_rows(connection)
    assert rows["crm/contacts/again.csv"] == (3, 1, 0, 0, 2)
    assert rows["crm/leads/b.csv"] == (2, 1, 0, 0, 1)
    assert rows["app/events/again.jsonl"] == (3, 1, 0, 0, 2)
    assert rows["crm/leads/c.csv"] == (1, 0, 0, 0, 1)
    assert find_bytes(home.home, values_of("ALFA") | values_of("BRAVO")) == {}


def test_a_completed_erasure_leaves_nothing_to_complete(
    home: Settings, contracts: Contracts
) -> None:
    with connect(home, autocommit=True) as connection:
        completed, removal = sweep.complete_erasures(home, contracts, connection, "r", ignore)
    assert (completed, removal.counts) == ([], {})
    assert list(home.path("erasure").glob("open-*")) == []


def test_a_restored_backup_is_erased_anew_by_tombstones_alone(
    home: Settings, contracts: Contracts
) -> None:
    landing = Landing(Path(home.landing_url), contracts)
    landing.deliver("crm.contacts", [contact(n) for n in PERSONS][::-1], "old.csv")
    folder, aside = home.path("erasure"), home.path("aside")
    with connect(home, autocommit=True) as connection:
        # the state of a backup from before
        for table in ("tombstones", "erasures", "named_files", "handovers"):
            connection.execute(f"delete from erasure.{table}")
        folder.rename(aside)
        drain(home, contracts, start_run(connection, "test"))
        assert find_bytes(home.home, {PERSONS["BRAVO"]["email"]})
        aside.rename(folder)
        # whoever takes files in next records them again, by the rights of its own role
        drain(home.acting_as("loader"), contracts, start_run(connection, "test"))
        completed, removal = sweep.complete_erasures(home, contracts, connection, "r", ignore)
        assert (len(completed), removal.counts["raw: rows"]) == (2, 2)
        kept = connection.execute("select vin from erasure.handovers").fetchall()
        assert kept == [(HANDED_OVER,)]
        assert count_rows(connection)["crm/contacts/old.csv"] == (3, 1, 0, 0, 2)
    assert find_bytes(home.home, values_of("ALFA") | values_of("BRAVO")) == {}


def test_a_key_that_was_drawn_and_could_not_be_cleared_up_goes_the_next_time(
    settings: Settings,
) -> None:
    key = draw_key(settings)
    left = key_file(settings).with_name(".key.4711")
    left.write_text("00" * 32, "ascii")
    assert draw_key(settings) == key
    assert [f.name for f in left.parent.glob(".*")] == []
