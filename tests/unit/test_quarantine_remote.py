"""What was set aside from a landing zone elsewhere is replayed from its file there, or not."""

import logging
import os
from pathlib import Path

import pytest
from remote_cases import Line, Site
from test_landing_faults import left_over, line, site
from test_landing_remote import event, ingest, ledger
from test_quarantine import without_required

from zhongtai import readers
from zhongtai.contracts import Contract, Contracts
from zhongtai.contracts.catalogue import read_contract
from zhongtai.database import connect
from zhongtai.quarantine import ReplayReport, replay
from zhongtai.runs import start_run
from zhongtai.settings import Settings

from landing_cases import Landing

__all__ = ["line", "site"]  # fixtures

BROKEN = b'{"type": "tr\n'


def again(settings: Settings, contracts: Contracts) -> ReplayReport:
    with connect(settings) as connection:
        run = start_run(connection, "test")
    return replay(settings, contracts, run)


@pytest.fixture
def away(site: Site, settings: Settings, contracts: Contracts) -> Settings:
    """A home that has set aside a record of a file elsewhere, which no reader could read."""
    found = settings.model_copy(update={"landing": site.url})
    site.put("app/events/a.jsonl", BROKEN)
    site.put("app/events/a.jsonl.done", b"")
    assert ingest(found, contracts).deliveries == 1
    return found


@pytest.fixture
def better_readers(
    contracts: Contracts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[bytes]:
    """Readers that can read the record, and the bytes that they were given."""
    repaired = tmp_path / "repaired.jsonl"
    repaired.write_bytes(Landing(Path(), contracts).content(contracts["app.events"], [event(1)]))
    given: list[bytes] = []
    real = readers.open_reader

    def open_reader(contract: Contract, path: Path) -> readers.Reader:
        if contract.name != "app.events":
            return real(contract, path)
        given.append(path.read_bytes())
        return real(contract, repaired)

    monkeypatch.setattr(readers, "open_reader", open_reader)
    return given


def test_a_record_that_no_reader_could_read_comes_from_the_server_once(
    away: Settings, contracts: Contracts, better_readers: list[bytes]
) -> None:
    assert again(away, contracts).rows_loaded == 1
    assert better_readers == [BROKEN]
    (row,) = ledger(away)
    counts = [row[f"rows_{kind}"] for kind in ("in", "loaded", "quarantined", "duplicate")]
    assert counts == [1, 1, 0, 0]
    told = again(away, contracts)
    assert (told.rows_loaded, told.rows_refused) == (0, 0)
    assert left_over(away) == []


@pytest.mark.parametrize("now", [None, b"another, and longer\n", BROKEN[::-1]])
def test_a_file_that_is_gone_or_another_by_now_gives_no_rows(
    site: Site,
    away: Settings,
    contracts: Contracts,
    better_readers: list[bytes],
    now: bytes | None,
) -> None:
    site.remove("app/events/a.jsonl") if now is None else site.put("app/events/a.jsonl", now)
    told = again(away, contracts)
    assert (told.rows_loaded, told.rows_refused, better_readers) == (0, 1, [])
    assert [row["rows_quarantined"] for row in ledger(away)] == [1]
    site.put("app/events/a.jsonl", BROKEN)
    assert again(away, contracts).rows_loaded == 1


def test_what_is_kept_here_is_replayed_while_the_server_does_not_answer(  # noqa: PLR0917 - fixtures
    line: Line,
    site: Site,
    away: Settings,
    contracts: Contracts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    better_readers: list[bytes],
) -> None:
    whole = "经销商代码,大区\nD1,华东\nD2,华北\n".encode("gbk")
    site.put("dms/dealers/whole.csv", whole)
    assert ingest(away, contracts).deliveries == 1
    corrected = tmp_path / "dms__dealers.yml"
    corrected.write_text(without_required(contracts["dms.dealers"].file.read_text()))
    fixed = Contracts({**contracts, "dms.dealers": read_contract(corrected)})
    line.cut_after = 0
    caplog.set_level(logging.WARNING, "zhongtai")
    told = again(away, fixed)
    assert (told.rows_loaded, told.files_loaded, told.rows_refused) == (2, 1, 1)
    assert better_readers == []
    (warned,) = [r.getMessage() for r in caplog.records if r.name.startswith("zhongtai")]
    assert warned.startswith("app/events/a.jsonl cannot be had from the landing zone: ")
    assert site.url in warned
    line.cut_after = None
    assert again(away, contracts).rows_loaded == 1
    assert left_over(away) == []


@pytest.mark.parametrize("name", ["\x1b[2J\n.jsonl", "a\\b.jsonl", "线索.jsonl".encode("gbk")])
def test_a_file_whose_name_is_told_in_escapes_is_found_again(
    landing: Landing,
    settings: Settings,
    contracts: Contracts,
    request: pytest.FixtureRequest,
    name: str | bytes,
) -> None:
    file = landing.root / "app" / "events" / os.fsdecode(name)
    file.parent.mkdir(parents=True)
    file.write_bytes(BROKEN)
    file.with_name(f"{file.name}.done").touch()
    assert ingest(settings, contracts).deliveries == 1
    better_readers = request.getfixturevalue("better_readers")
    assert again(settings, contracts).rows_loaded == 1
    assert better_readers == [BROKEN]
