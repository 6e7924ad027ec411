"""Ingestion: every row goes one way, every file counts once, and a crash changes nothing."""

import hashlib
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.rows import dict_row

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.ingest import IngestReport, drain
from zhongtai.ingest import settle as settle_module
from zhongtai.ingest.parts import Lake, PartWriter
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings

from landing_cases import Landing

T0 = 1_770_000_000_000


def event(number: int, **changes: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "ViewSeries",
        "distinct_id": f"d{number % 3}",
        "time": T0 + number,
        "_track_id": number,
        "_flush_time": T0 + 1000,
        "properties": {"series_code": "S1"},
    } | changes


def follow_up(number: int, **changes: str) -> dict[str, str]:
    return {
        "跟进ID": f"F{number}",
        "线索唯一ID": f"L{number}",
        "跟进方式": "电话",
        "跟进时间": "2026-03-01 10:00:00",
    } | changes


def lead(number: int, **changes: str) -> dict[str, str]:
    return {
        "线索唯一ID": f"L{number}",
        "线索创建时间": "2026-03-01 10:00:00",
        "更新时间": "2026-03-02 10:00:00",
    } | changes


@pytest.fixture
def ingest(settings: Settings, contracts: Contracts, run: Run) -> Callable[..., IngestReport]:
    def once(**options: Any) -> IngestReport:
        return drain(settings, contracts, run, **options)

    return once


@pytest.fixture
def ledger(settings: Settings) -> Callable[[], list[dict[str, Any]]]:
    def rows() -> list[dict[str, Any]]:
        with connect(settings) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute("select * from ledger.deliveries order by sequence").fetchall()

    return rows


def counts(delivery: dict[str, Any]) -> tuple[str, int, int, int, int]:
    """Status, then rows in, loaded, quarantined, duplicate."""
    names = ("status", "rows_in", "rows_loaded", "rows_quarantined", "rows_duplicate")
    status, rows_in, loaded, quarantined, duplicate = (delivery[name] for name in names)
    return status, rows_in, loaded, quarantined, duplicate


def raw(settings: Settings, table: str) -> list[tuple[Any, ...]]:
    """The delivered values of every part that counts, without what ingestion added."""
    source, entity = table.split(".")
    with connect(settings) as connection:
        parts = connection.execute(
            "select p.part from ledger.parts p join ledger.deliveries d using (delivery_id)"
            " where d.source = %s and d.entity = %s and rows > 0",
            [source, entity],
        ).fetchall()
    files = [f"{settings.lake_url}/{part}" for (part,) in parts]
    if not files:
        return []
    added = "_delivery_id, _row_number, _raw"
    relation = duckdb.sql(f"select * exclude ({added}) from read_parquet({files}) order by all")
    return relation.fetchall()


def test_every_row_goes_exactly_one_way(landing: Landing, ingest: Any, ledger: Any) -> None:
    rows = [event(n) for n in range(10)]
    rows += [event(0, _flush_time=T0 + 9000), event(11, distinct_id=" ")]
    rows += [event(12, time=T0 * 2), event(13, time="soon")]
    content = landing.content(landing.contracts["app.events"], rows) + b'{"type": "tr\n\n'
    landing.deliver("app.events", content, "2026-03-05 上午/事件 1.jsonl")
    report = ingest()
    (delivery,) = ledger()
    assert counts(delivery) == ("loaded", 15, 10, 4, 1)
    assert delivery["file"] == "app/events/2026-03-05 上午/事件 1.jsonl"
    assert report.entities["app.events"].rows_in == 15
    assert report.deliveries == 1


def test_a_drained_zone_has_nothing_new(landing: Landing, ingest: Any, ledger: Any) -> None:
    landing.deliver("app.events", [event(1)])
    landing.deliver("crm.leads", [lead(1)])
    landing.deliver("dms.dealers", [{"经销商代码": "D1", "更新时间": "2026-03-01 10:00:00"}])
    assert ingest().deliveries == 3
    before = ledger()
    again = ingest()
    assert again.deliveries == 0
    assert ledger() == before


def test_quarantined_rows_are_kept_with_their_text_for_their_owner_only(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    rows = [follow_up(1), follow_up(2, 跟进时间="0000-00-00"), follow_up(3, 跟进ID="  ")]
    landing.deliver("crm.follow_ups", rows)
    ingest()
    (delivery,) = ledger()
    file = settings.path("quarantine", "crm", "follow_ups", f"{delivery['sha256']}.parquet")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in (file.parent, file.parent.parent, file.parent.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept = pq.read_table(file).to_pylist()
    assert [(row["line"], row["rule"], row["column"]) for row in kept] == [
        (3, "event_time_unreadable", "跟进时间"),
        (4, "key_missing", "跟进ID"),
    ]
    assert {row["delivery_id"] for row in kept} == {delivery["delivery_id"]}
    assert json.loads(kept[0]["original"])["线索唯一ID"] == "L2"


def test_the_ledger_counts_what_each_rule_set_aside(
    landing: Landing, settings: Settings, ingest: Any
) -> None:
    rows = [follow_up(1), follow_up(2, 跟进时间="soon"), follow_up(3, 跟进方式="飞鸽")]
    landing.deliver(
        "crm.follow_ups", [*rows, follow_up(4, 跟进时间="bad"), follow_up(5, 跟进时间="0001-01-01")]
    )
    ingest()
    with connect(settings) as connection:
        found = connection.execute(
            "select level, rule, column_name, severity, rows from ledger.quarantine order by 1, 2"
        ).fetchall()
    assert found == [
        ("row", "event_time_unreadable", "跟进时间", "critical", 3),
        ("value", "unknown_value", "跟进方式", "warning", 1),
    ]


def test_a_tag_that_nobody_declared_is_set_aside_and_a_computed_one_is_told(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    named = {"标识类型": "mobile", "标识值": "13812345678", "更新时间": "2026-03-02 10:00:00"}
    ids = (" vip ", "no_such_tag", "car_owner")
    rows = [named | {"tag_id": tag_id, "value": "是"} for tag_id in ids]
    landing.deliver("crm.manual_tags", [*rows, rows[0] | {"标识类型": "fax"}])
    ingest()
    (delivery,) = ledger()
    assert counts(delivery) == ("loaded", 4, 3, 1, 0)
    with connect(settings) as connection:
        found = connection.execute(
            "select rule, severity, rows from ledger.quarantine order by 1"
        ).fetchall()
    assert found == [
        ("computed_tag", "warning", 1),
        ("unknown_identifier_type", "warning", 1),
        ("unknown_tag", "critical", 1),
    ]


def test_the_same_bytes_load_once_under_whatever_name(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    landing.deliver("crm.leads", [lead(1), lead(2)], "a.csv")
    ingest()
    landing.deliver("crm.leads", [lead(1), lead(2)], "again/b.csv")
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 2, 2, 0, 0), ("duplicate", 2, 0, 0, 2)]
    assert len(raw(settings, "crm.leads")) == 2


def test_the_same_bytes_twice_in_one_look_load_once(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    for name in ("c.csv", "a.csv", "b.csv"):
        landing.deliver("crm.leads", [lead(1)], name)
    ingest()
    found = [(Path(d["file"]).name, d["status"]) for d in ledger()]
    assert found == [("a.csv", "loaded"), ("b.csv", "duplicate"), ("c.csv", "duplicate")]


def test_the_same_file_touched_is_a_delivery_of_the_same_bytes(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    file = landing.deliver("crm.leads", [lead(1)])
    ingest()
    os.utime(file, (1_000_000_000, 1_000_000_000))
    ingest()
    assert [d["status"] for d in ledger()] == ["loaded", "duplicate"]


def test_other_bytes_under_an_old_name_are_a_new_delivery(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    landing.deliver("crm.leads", [lead(1)])
    ingest()
    landing.deliver("crm.leads", [lead(2)], exported_at="2026-03-06T12:00:00+08:00")
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 1, 1, 0, 0)] * 2
    assert len(raw(settings, "crm.leads")) == 2


def test_keys_of_immutable_rows_count_once_over_all_files(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    landing.deliver("crm.surveys", [survey(n) for n in (1, 2, 2, 3)], "a.csv")
    ingest()
    landing.deliver("crm.surveys", [survey(n) for n in (3, 4, 4)], "b.csv")
    landing.deliver("crm.surveys", [survey(n) for n in (1, 4, 5)], "c.csv")
    ingest()
    assert [counts(d) for d in ledger()] == [
        ("loaded", 4, 3, 0, 1),
        ("loaded", 3, 1, 0, 2),
        ("loaded", 3, 1, 0, 2),
    ]


def survey(number: int) -> dict[str, str]:
    return {"问卷ID": f" Q{number} " if number == 4 else f"Q{number}", "发送时间": "20260301"}


def test_versions_of_mutable_rows_all_load(landing: Landing, ingest: Any, ledger: Any) -> None:
    landing.deliver("crm.leads", [lead(1), lead(1, 更新时间="2026-03-03 10:00:00")], "a.csv")
    landing.deliver("crm.leads", [lead(1, 更新时间="2026-03-04 10:00:00")], "b.csv")
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 2, 2, 0, 0), ("loaded", 1, 1, 0, 0)]


def test_profile_lines_differ_by_their_whole_content(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    line = {"type": "profile_set", "distinct_id": "d", "time": T0, "properties": {"a": 1}}
    landing.deliver(
        "app.events",
        [line, line | {"_flush_time": T0 + 5}, line | {"properties": {"a": 2}}],
    )
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 3, 2, 0, 1)]


def deliver_batches(landing: Landing, batches: list[list[int]]) -> None:
    for batch in batches:
        name = f"{batch[0]}.jsonl"
        landing.deliver("app.events", [event(n) for n in batch], name)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_order_and_batching_change_no_raw_content(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any, order: list[int]
) -> None:
    batches = [[1, 2, 3], [3, 4], [4, 5, 1]]
    for index in order:
        deliver_batches(landing, [batches[index]])
        ingest()
    assert sum(d["rows_loaded"] for d in ledger()) == 5
    assert sum(d["rows_in"] for d in ledger()) == 8
    rows = raw(settings, "app.events")
    assert len(rows) == 8
    assert len(set(rows)) == 5
    digest = hashlib.sha256(repr(sorted(set(rows), key=repr)).encode()).hexdigest()
    deliver_batches(landing, [[5, 4, 3, 2, 1]])
    ingest()
    again = sorted(set(raw(settings, "app.events")), key=repr)
    assert hashlib.sha256(repr(again).encode()).hexdigest() == digest


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rows": 3}, "2 rows instead of 3"),
        ({"bytes": 1}, "bytes instead of 1"),
        ({"sha256": "ab" * 32}, "instead of abababababab…"),
    ],
)
def test_a_file_that_its_manifest_contradicts_is_set_aside_whole(
    landing: Landing, settings: Settings, ledger: Any, wrong: Any, said: str
) -> None:
    file = landing.deliver("crm.leads", [lead(1), lead(2)])
    landing.name_in_manifest(file, **wrong)
    for _ in range(2):
        with connect(settings) as connection:
            run = start_run(connection, "test")
        drain(settings, landing.contracts, run)
    (delivery,) = ledger()
    assert counts(delivery) == ("quarantined", 2, 0, 2, 0)
    assert delivery["rule"] == "manifest_mismatch"
    assert said in delivery["reason"]
    kept = settings.path("quarantine", "crm", "leads", delivery["sha256"], "data.csv")
    assert kept.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert raw(settings, "crm.leads") == []


def test_a_corrected_manifest_brings_the_same_bytes_in(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    file = landing.deliver("crm.leads", [lead(1), lead(2)])
    landing.name_in_manifest(file, rows=3)
    ingest()
    landing.name_in_manifest(file, exported_at="2026-03-06T12:00:00+08:00", rows=2)
    ingest()
    ingest()
    assert [counts(d) for d in ledger()] == [("quarantined", 2, 0, 2, 0), ("loaded", 2, 2, 0, 0)]
    assert len(raw(settings, "crm.leads")) == 2


def test_a_quarantined_file_that_is_delivered_again_is_judged_again(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    file = landing.deliver("app.events", b"\x1f\x8b\x08\x00broken", "a.jsonl.gz")
    ingest()
    ingest()
    assert [d["status"] for d in ledger()] == ["quarantined"]
    done = file.with_name(f"{file.name}.done")
    os.utime(done, (1_000_000_000, 1_000_000_000))
    ingest()
    ingest()
    assert [d["status"] for d in ledger()] == ["quarantined", "quarantined"]


def test_a_new_manifest_over_a_loaded_file_changes_nothing(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    file = landing.deliver("crm.leads", [lead(1)])
    ingest()
    landing.name_in_manifest(file, exported_at="2026-03-06T12:00:00+08:00", rows=99)
    ingest()
    assert [d["status"] for d in ledger()] == ["loaded"]


def test_a_file_without_a_required_column_is_set_aside_whole(
    landing: Landing, ingest: Any, ledger: Any
) -> None:
    landing.deliver("dms.dealers", "经销商代码,大区\nD1,华东\n".encode("gbk"))
    ingest()
    (delivery,) = ledger()
    assert counts(delivery) == ("quarantined", 1, 0, 1, 0)
    assert delivery["rule"] == "required_column_missing"
    assert "更新时间" in delivery["reason"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_an_empty_file_loads_no_rows(
    landing: Landing, ingest: Any, ledger: Any, content: bytes
) -> None:
    landing.deliver("app.events", content)
    landing.deliver("dms.dealers", content)
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 0, 0, 0, 0)] * 2


def test_a_file_of_a_header_alone_loads_no_rows(landing: Landing, ingest: Any, ledger: Any) -> None:
    landing.deliver("crm.leads", [])
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 0, 0, 0, 0)]


class Crash(BaseException):
    """What nothing catches."""


def crash(*_: object, **__: object) -> None:
    raise Crash


@pytest.mark.parametrize(
    "where",
    [
        (PartWriter, "__exit__"),
        (Lake, "place"),
        (settle_module, "record"),
        (settle_module, "place_private"),
        (settle_module.Settlement, "remove_orphans"),
    ],
)
def test_a_crash_anywhere_converges(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any, where: Any
) -> None:
    landing.deliver("crm.follow_ups", [follow_up(1), follow_up(2, 跟进时间="bad")], "a.csv")
    landing.deliver("crm.follow_ups", [follow_up(1), follow_up(3)], "b.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*where, crash)
        with pytest.raises(Crash):
            ingest()
    ingest()
    assert [counts(d) for d in ledger()] == [("loaded", 2, 1, 1, 0), ("loaded", 2, 1, 0, 1)]
    assert len(raw(settings, "crm.follow_ups")) == 3
    assert len(list(Path(settings.lake_url).rglob("*"))) == 3 + 2
    assert [f.name for f in settings.path("tmp").iterdir()] == ["ingest.lock"]


def test_a_part_that_a_crash_left_behind_is_removed(
    landing: Landing, settings: Settings, ingest: Any
) -> None:
    orphan = Path(settings.lake_url, "raw", "crm", "leads", f"{'0' * 64}.parquet")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"unfinished business")
    landing.deliver("crm.leads", [lead(1)])
    ingest()
    assert not orphan.exists()
    assert len(list(orphan.parent.iterdir())) == 1


def test_a_workspace_of_a_dead_process_is_removed(settings: Settings, ingest: Any) -> None:
    abandoned = settings.path("tmp", "ingest-dead")
    abandoned.mkdir(parents=True)
    (abandoned / "lock").touch()
    ingest()
    assert not abandoned.exists()


def test_drains_at_the_same_time_load_everything_once(
    landing: Landing, settings: Settings, contracts: Contracts, ledger: Any
) -> None:
    for number in range(12):
        rows = [event(n) for n in range(number, number + 5)]
        landing.deliver("app.events", rows, f"{number}.jsonl")
        landing.deliver("crm.leads", [lead(number)], f"{number}.csv")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with connect(settings) as connection:
                own = start_run(connection, "test")
            drain(settings, contracts, own)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    deliveries = ledger()
    assert len(deliveries) == 24
    assert {d["status"] for d in deliveries} == {"loaded"}
    assert sum(d["rows_loaded"] for d in deliveries if d["entity"] == "events") == 16
    assert len(raw(settings, "app.events")) == 60
    assert len(raw(settings, "crm.leads")) == 12


def test_what_cannot_be_read_does_not_stop_the_rest(
    landing: Landing, ingest: Any, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhongtai import readers

    real = readers.count_rows

    def fails_on_one(contract: Any, path: Path) -> int:
        if b"poison" in path.read_bytes():
            raise KeyError("13812345678")
        return real(contract, path)

    monkeypatch.setattr(readers, "count_rows", fails_on_one)
    landing.deliver("app.events", [event(1, event="poison")], "a.jsonl")
    landing.deliver("app.events", [event(2)], "b.jsonl")
    ingest()
    first, second = ledger()
    assert (first["status"], first["reason"]) == ("quarantined", "the reader failed with KeyError")
    assert second["status"] == "loaded"


def test_a_full_disk_is_no_fault_of_the_file(
    landing: Landing, ingest: Any, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.deliver("app.events", [event(1)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartWriter, "write", full)
        with pytest.raises(OSError, match="No space left"):
            ingest()
    assert ledger() == []
    ingest()
    assert [d["status"] for d in ledger()] == ["loaded"]


def test_a_file_that_changes_while_it_is_read_waits(
    landing: Landing, ingest: Any, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhongtai import readers

    file = landing.deliver("app.events", [event(1)])
    real = readers.count_rows

    def while_written(contract: Any, path: Path) -> int:
        with file.open("ab") as opened:
            opened.write(b'{"more": ')
        return real(contract, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "count_rows", while_written)
        report = ingest()
    assert ledger() == []
    assert [stray.reason for stray in report.waiting] == ["changed while it was read"]


def test_rows_that_reader_and_counter_see_differently_are_set_aside_whole(
    landing: Landing, ingest: Any, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhongtai import readers

    monkeypatch.setattr(readers, "count_rows", lambda *_: 5)
    landing.deliver("app.events", [event(1), event(2)])
    ingest()
    (delivery,) = ledger()
    assert counts(delivery) == ("quarantined", 5, 0, 5, 0)
    assert delivery["rule"] == "unbalanced"


def test_an_archived_file_leaves_the_landing_zone(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    archiving = settings.model_copy(update={"archive": True})
    file = landing.deliver("app.events", [event(1)], "a b/x.jsonl")
    content = file.read_bytes()
    drain(archiving, contracts, run)
    (delivery,) = ledger()
    archived = settings.path("archive", "app", "events", delivery["sha256"], "x.jsonl")
    assert archived.read_bytes() == content
    assert list(file.parent.iterdir()) == []
    assert drain(archiving, contracts, run).deliveries == 0


def test_a_crash_before_archiving_leaves_nothing_behind(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run
) -> None:
    file = landing.deliver("app.events", [event(1)])
    drain(settings, contracts, run)
    archiving = settings.model_copy(update={"archive": True})
    drain(archiving, contracts, run)
    assert list(file.parent.iterdir()) == []
    assert len(list(settings.path("archive").rglob("data.jsonl"))) == 1


def test_a_remote_landing_zone_and_lake_work_like_local_ones(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run, ledger: Any
) -> None:
    memory = fsspec.filesystem("memory")
    remote = settings.model_copy(
        update={"landing": "memory://remote/landing", "lake": "memory://remote/lake"}
    )
    try:
        for name, numbers in (("a", (1, 2)), ("b", (2, 3))):
            rows = [event(n) for n in numbers]
            content = landing.content(contracts["app.events"], rows)
            memory.pipe(f"/remote/landing/app/events/{name}.jsonl", content)
            memory.pipe(f"/remote/landing/app/events/{name}.jsonl.done", b"")
            drain(remote, contracts, run)
        assert [counts(d) for d in ledger()] == [("loaded", 2, 2, 0, 0), ("loaded", 2, 1, 0, 1)]
        parts = memory.ls("/remote/lake/raw/app/events", detail=False)
        assert sorted(parts) == sorted(f"/remote/lake/{d['part']}" for d in ledger())
    finally:
        memory.rm("/remote", recursive=True)


def test_parts_carry_what_staging_needs(
    landing: Landing, settings: Settings, ingest: Any, ledger: Any
) -> None:
    landing.deliver("app.events", [event(1, mystery=[1, 2])])
    ingest()
    (delivery,) = ledger()
    (row,) = pq.read_table(Path(settings.lake_url, delivery["part"])).to_pylist()
    assert row["time"] == str(T0 + 1)
    assert json.loads(row["properties"]) == {"series_code": "S1"}
    assert json.loads(row["_extra"]) == {"mystery": [1, 2]}
    assert row["login_id"] is None
    assert (row["_row_number"], row["_raw"]) == (1, None)
    assert row["_delivery_id"] == delivery["delivery_id"]
    assert isinstance(row["_key_hash"], int)


def test_the_ledger_refuses_the_same_loaded_bytes_twice(
    landing: Landing, settings: Settings, ingest: Any
) -> None:
    landing.deliver("crm.leads", [lead(1)])
    ingest()
    with connect(settings) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
            " modified_at, status, rows_in, rows_loaded, rows_quarantined, rows_duplicate,"
            " contract_hash, as_of, discovered_at, run_id) select 'other', source, entity, 'x',"
            " sha256, bytes, modified_at, status, rows_in, rows_loaded, rows_quarantined,"
            " rows_duplicate, contract_hash, as_of, discovered_at, run_id from ledger.deliveries"
        )


def test_one_source_can_be_drained_alone(landing: Landing, ingest: Any, ledger: Any) -> None:
    landing.deliver("app.events", [event(1)])
    landing.deliver("crm.leads", [lead(1)])
    assert ingest(source="app").deliveries == 1
    assert [d["source"] for d in ledger()] == ["app"]


def test_progress_reaches_the_number_of_files(landing: Landing, ingest: Any) -> None:
    told: list[tuple[str, int, int]] = []
    for number in range(3):
        landing.deliver("crm.leads", [lead(number)], f"{number}.csv")
    ingest(progress=lambda *step: told.append(step))
    assert told[-1] == ("crm/leads/2.csv", 3, 3)


def test_a_lost_part_is_named_when_earlier_keys_are_needed(
    landing: Landing, ingest: Any, settings: Settings, tmp_path: Path
) -> None:
    landing.deliver("app.events", [event(1), event(3)], "1.jsonl")
    ingest()
    (part,) = Path(settings.lake_url, "raw", "app", "events").glob("*.parquet")
    aside = part.rename(tmp_path / part.name)
    landing.deliver("app.events", [event(2)], "2.jsonl")
    with pytest.raises(ZhongtaiError, match=rf"raw/app/events/{part.name} is gone"):
        ingest()
    aside.rename(part)
    assert ingest().deliveries == 1


def test_who_delivers_no_tags_does_not_wait_for_their_declarations(
    landing: Landing, settings: Settings, contracts: Contracts, run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def refuse(project_dir: Path) -> None:
        raise AssertionError(f"the tags of {project_dir} were read")

    monkeypatch.setattr("zhongtai.tags.load_tags", refuse)
    landing.deliver("workforce.staff", [{"staff_id": "S1", "updated_at": "2026-03-01 10:00:00"}])
    assert drain(settings, contracts, run).deliveries == 1
