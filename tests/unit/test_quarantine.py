"""The quarantine: listed, shown, and replayed exactly once after a fix."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from test_ingest import counts, event, follow_up, ledger, raw

from zhongtai.advice import ADVICE
from zhongtai.contracts import Contracts
from zhongtai.contracts.catalogue import read_contract
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError
from zhongtai.ingest import drain
from zhongtai.quarantine import Selection, expect_rule, list_, replay, show
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings

from landing_cases import Landing

__all__ = ["ledger"]  # a fixture of the ingestion tests


def without_required(text: str) -> str:
    """A contract (YAML) that requires nothing but its key."""
    lines = text.splitlines(keepends=True)
    return "".join(
        line if "type: key" in line else line.replace(", required: true", "") for line in lines
    )


def later(settings: Settings, days: int) -> Run:
    with connect(settings) as connection:
        return start_run(connection, "test", datetime.now(UTC) + timedelta(days=days))


def in_days(days: int) -> int:
    return int((datetime.now(UTC) + timedelta(days=days)).timestamp() * 1000)


def without_rule(contracts: Contracts, entity: str, rule: str, folder: Path) -> Contracts:
    """The contracts, one of them corrected: the rule is gone."""
    contract = contracts[entity]
    text = contract.file.read_text()
    start = text.index(f"  - rule: {rule}\n")
    end = text.index("  - rule: ", start + 5)
    file = folder / contract.file.name
    file.write_text(text[:start] + text[end:])
    return Contracts({**contracts, entity: read_contract(file)})


def test_what_is_set_aside_is_listed_by_rule(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run
) -> None:
    landing.deliver("crm.follow_ups", [follow_up(1, 跟进时间="x"), follow_up(2, 跟进方式="飞鸽")])
    landing.deliver("app.events", b"\x1f\x8b\x08\x00broken", "a.jsonl.gz")
    drain(settings, contracts, run)
    listed = {(item.source, item.level, item.rule): item.rows for item in list_(settings)}
    assert listed == {
        ("crm", "row", "event_time_unreadable"): 1,
        ("app", "file", "truncated"): 0,
    }
    (item,) = list_(settings, Selection(source="crm"), with_warnings=True)[1:]
    assert (item.level, item.rule, item.column) == ("value", "unknown_value", "跟进方式")


def test_rows_are_shown_as_they_were_delivered(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run
) -> None:
    landing.deliver("app.events", b'{"type": "tr\n' + b'{"type": "track", "time": 1}\n')
    drain(settings, contracts, run)
    delivery = list_(settings)[0].delivery_id
    first, second = show(settings, delivery)
    assert (first.line, first.rule, first.original) == (1, "broken_json", '{"type": "tr')
    assert (second.rule, json.loads(second.original)["time"]) == ("key_missing", "1")
    assert show(settings, delivery, rule="key_missing") == [second]
    with pytest.raises(ConfigurationError, match="there is no delivery 'x'"):
        show(settings, "x")


def test_rows_that_load_now_move_in_the_ledger_once(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    rows = [event(1), event(2, time=in_days(5)), event(3, time=in_days(50))]
    landing.deliver("app.events", rows)
    drain(settings, contracts, run)
    assert [counts(d) for d in ledger()] == [("loaded", 3, 1, 2, 0)]
    report = replay(settings, contracts, later(settings, 10))
    assert (report.rows_loaded, report.rows_refused) == (1, 1)
    assert [counts(d) for d in ledger()] == [("loaded", 3, 2, 1, 0)]
    again = replay(settings, contracts, later(settings, 10))
    assert (again.rows_loaded, again.rows_refused) == (0, 1)
    assert [counts(d) for d in ledger()] == [("loaded", 3, 2, 1, 0)]
    (item,) = list_(settings)
    assert (item.rows, item.replayed_rows) == (1, 1)
    assert len(raw(settings, "app.events")) == 2


def test_a_replayed_row_is_the_row_that_would_have_loaded(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, tmp_path: Path
) -> None:
    row = follow_up(1, 跟进时间="", 跟进结果='说 "好", 再联系\n下周')
    landing.deliver("crm.follow_ups", [row], "a.csv")
    drain(settings, contracts, run)
    assert raw(settings, "crm.follow_ups") == []
    fixed = without_rule(contracts, "crm.follow_ups", "event_time_unreadable", tmp_path)
    report = replay(settings, fixed, run)
    told = json.loads(json.dumps(asdict(report)))
    assert (told["rows_loaded"], told["entities"]) == (1, {"crm.follow_ups": 1})
    (replayed,) = raw(settings, "crm.follow_ups")
    landing.deliver("crm.follow_ups", [row, follow_up(2)], "b.csv")
    drain(settings, fixed, run)
    assert raw(settings, "crm.follow_ups").count(replayed) == 2


def test_a_replayed_row_whose_key_is_loaded_is_a_duplicate(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    ahead = in_days(5)
    landing.deliver("app.events", [event(1, time=ahead)], "a.jsonl")
    drain(settings, contracts, run)
    landing.deliver("app.events", [event(1, time=ahead), event(2)], "b.jsonl")
    drain(settings, contracts, later(settings, 10))
    report = replay(settings, contracts, later(settings, 10))
    assert (report.rows_loaded, report.rows_duplicate) == (0, 1)
    assert [counts(d) for d in ledger()] == [("loaded", 1, 0, 0, 1), ("loaded", 2, 2, 0, 0)]


def test_a_record_that_no_reader_could_read_comes_from_the_file(
    landing: Landing, settings: Settings, run: Run, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    contracts = landing.contracts
    from zhongtai import readers

    landing.deliver("app.events", b'{"type": "tr\n')
    drain(settings, contracts, run)
    repaired = landing.root.parent / "repaired.jsonl"
    repaired.write_bytes(landing.content(contracts["app.events"], [event(1)]))
    real = readers.open_reader
    assert replay(settings, contracts, run).rows_refused == 1
    monkeypatch.setattr(readers, "open_reader", lambda contract, _: real(contract, repaired))
    assert replay(settings, contracts, run).rows_loaded == 1
    assert [counts(d) for d in ledger()] == [("loaded", 1, 1, 0, 0)]


def test_a_whole_file_loads_after_its_contract_was_fixed(
    landing: Landing, settings: Settings, run: Run, ledger: Any, tmp_path: Path
) -> None:
    contracts = landing.contracts
    landing.deliver("dms.dealers", "经销商代码,大区\nD1,华东\nD2,华北\n".encode("gbk"))
    drain(settings, contracts, run)
    (before,) = ledger()
    assert replay(settings, contracts, run).files_refused == 1
    file = tmp_path / "dms__dealers.yml"
    text = contracts["dms.dealers"].file.read_text()
    file.write_text(without_required(text))
    fixed = Contracts({**contracts, "dms.dealers": read_contract(file)})
    report = replay(settings, fixed, run)
    assert (report.files_loaded, report.rows_loaded) == (1, 2)
    (after,) = ledger()
    assert after["delivery_id"] == before["delivery_id"]
    assert counts(after) == ("loaded", 2, 2, 0, 0)
    assert after["rule"] is None
    assert list_(settings) == []
    assert not settings.path("quarantine", "dms", "dealers", after["sha256"]).exists()
    assert replay(settings, fixed, run).files_loaded == 0


def test_a_replay_does_not_overrule_a_manifest(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    file = landing.deliver("crm.follow_ups", [follow_up(1)])
    landing.name_in_manifest(file, rows=2)
    drain(settings, contracts, run)
    assert replay(settings, contracts, run).files_refused == 1
    assert [counts(d) for d in ledger()] == [("quarantined", 1, 0, 1, 0)]


def test_a_replayed_file_whose_bytes_loaded_meanwhile_is_a_duplicate(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    file = landing.deliver("dms.dealers", "经销商代码,大区\nD1,华东\n".encode("gbk"))
    drain(settings, contracts, run)
    text = contracts["dms.dealers"].file.read_text()
    contract = file.parent / "dms__dealers.yml"
    contract.write_text(without_required(text))
    fixed = Contracts({**contracts, "dms.dealers": read_contract(contract)})
    contract.unlink()
    landing.deliver("dms.dealers", file.read_bytes(), "again.csv")
    drain(settings, fixed, run)
    replay(settings, fixed, run)
    assert [counts(d) for d in ledger()] == [("duplicate", 1, 0, 0, 1), ("loaded", 1, 1, 0, 0)]


@pytest.mark.parametrize("name", ["again.csv", ""], ids=["another name", "the same name"])
def test_of_equal_files_that_are_set_aside_one_loads_and_the_others_are_duplicates(  # noqa: PLR0917
    landing: Landing, settings: Settings, run: Run, ledger: Any, tmp_path: Path, name: str
) -> None:
    contracts = landing.contracts
    file = landing.deliver("dms.dealers", "经销商代码,大区\nD1,华东\n".encode("gbk"))
    drain(settings, contracts, run)
    again = landing.deliver("dms.dealers", file.read_bytes(), name or file.name)
    os.utime(again, (1, 1))
    drain(settings, contracts, run)
    assert [counts(d) for d in ledger()] == [("quarantined", 1, 0, 1, 0)] * 2
    fixed_file = tmp_path / "dms__dealers.yml"
    text = contracts["dms.dealers"].file.read_text()
    fixed_file.write_text(without_required(text))
    fixed = Contracts({**contracts, "dms.dealers": read_contract(fixed_file)})
    report = replay(settings, fixed, run)
    assert (report.files_loaded, report.rows_loaded, report.rows_duplicate) == (2, 1, 1)
    assert sorted(counts(d) for d in ledger()) == [
        ("duplicate", 1, 0, 0, 1),
        ("loaded", 1, 1, 0, 0),
    ]
    assert list_(settings) == []
    assert not list(settings.path("quarantine", "dms", "dealers").rglob("*.csv"))


class Crash(BaseException):
    """What nothing catches."""


@pytest.mark.parametrize("name", ["record_part", "record_replayed_rows", "record_replayed_rule"])
def test_a_crash_in_a_replay_converges(
    landing: Landing, settings: Settings, ledger: Any, name: str
) -> None:
    landing.deliver("app.events", [event(1), event(2, time=in_days(5))])
    drain(settings, landing.contracts, later(settings, 0))

    def crash(*_: object) -> None:
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"zhongtai.quarantine.replays.{name}", crash)
        with pytest.raises(Crash):
            replay(settings, landing.contracts, later(settings, 10))
    assert [counts(d) for d in ledger()] == [("loaded", 2, 1, 1, 0)]
    replay(settings, landing.contracts, later(settings, 10))
    assert [counts(d) for d in ledger()] == [("loaded", 2, 2, 0, 0)]
    assert len(raw(settings, "app.events")) == 2


def test_only_the_selected_rule_is_replayed(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    landing.deliver("app.events", [event(1, time=in_days(5)), event(2, time=in_days(5))])
    drain(settings, contracts, run)
    other = Selection(rule="key_missing")
    assert replay(settings, contracts, later(settings, 10), other).rows_loaded == 0
    chosen = Selection(source="app", rule="event_time_in_future")
    assert replay(settings, contracts, later(settings, 10), chosen).rows_loaded == 2
    (part,) = (d["part"] for d in ledger())
    assert pq.read_metadata(Path(settings.lake_url, part)).num_rows == 0


def test_a_rule_is_known_by_the_product_a_contract_or_the_ledger(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run
) -> None:
    landing.deliver("crm.follow_ups", [follow_up(1, 跟进时间="x")])
    drain(settings, contracts, run)
    with connect(settings) as connection:
        connection.execute("update ledger.quarantine set rule = 'of_a_contract_that_is_gone'")
    own = {r.rule for c in contracts.values() for r in (*c.row_rules, *c.file_rules)} - set(ADVICE)
    assert own
    for rule in ("key_missing", sorted(own)[0], "of_a_contract_that_is_gone"):
        expect_rule(settings, contracts, rule)
    with pytest.raises(ConfigurationError, match="there is no rule 'key_mising'") as refused:
        expect_rule(settings, contracts, "key_mising")
    assert refused.value.hint.startswith("did you mean key_missing?")


def test_every_column_is_required_but_those_that_the_input_contract_marks_optional(
    contracts: Contracts,
) -> None:
    with_header = [c for c in contracts.values() if c.format in ("csv", "xlsx")]
    left_out = {
        (contract.name, column.delivered)
        for contract in with_header
        for column in contract.columns
        if not column.required
    }
    assert len(with_header) >= 30
    assert left_out == {("workforce.staff", "mobile"), ("workforce.staff", "unionid")}


@pytest.mark.parametrize(
    ("entity", "missing", "status"),
    [
        ("crm.contacts", "手机号", "quarantined"),
        ("partner.members", "department", "quarantined"),
        ("workforce.staff", "department", "quarantined"),
        ("workforce.staff", "mobile", "loaded"),
    ],
)
def test_a_file_without_a_required_column_is_set_aside_with_its_rows_counted(  # noqa: PLR0917
    landing: Landing,
    settings: Settings,
    run: Run,
    ledger: Any,
    entity: str,
    missing: str,
    status: str,
) -> None:
    contract = landing.contracts[entity]
    names = [c.delivered for c in contract.columns if c.delivered != missing]
    row = ["2026-03-01" if name in ("更新时间", "updated_at") else "1" for name in names]
    text = "".join(f"{','.join(cells)}\n" for cells in (names, row))
    landing.deliver(entity, text.encode(contract.encodings[0]))
    drain(settings, landing.contracts, run)
    (found,) = ledger()
    assert found["status"] == status
    assert found["rows_in"] == 1
    if status == "quarantined":
        assert (found["rule"], found["rows_quarantined"]) == ("required_column_missing", 1)
        assert missing in found["reason"]
