"""The landing zone: what is complete, what waits, what no contract covers."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from zhongtai.contracts import Contracts
from zhongtai.errors import ConfigurationError
from zhongtai.landing import LandedFile, LandingZone, Survey, find_deliveries
from zhongtai.landing.survey import path_pattern


class Nothing:
    """A memory that has seen nothing, or everything at one instant."""

    def __init__(self, first_seen_at: datetime | None = None) -> None:
        self.first_seen_at = first_seen_at

    def settled(self, *_: object) -> set[LandedFile]:
        return set()

    def judged(self, *_: object) -> set[LandedFile]:
        return set()

    def recorded(self, *_: object) -> set[str]:
        return set()

    def unchanged_since(self, *_: object) -> datetime:
        return self.first_seen_at or datetime.now(UTC)


def look(url: object, contracts: Contracts, **options: object) -> Survey:
    memory = options.pop("memory", Nothing())
    return find_deliveries(LandingZone(str(url)), contracts, memory, **options)  # type: ignore[arg-type]


def files(survey: Survey) -> list[str]:
    return [delivery.file.label for delivery in survey.complete]


def put(root: Path, name: str, content: bytes = b"x") -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def manifest(root: Path, name: str, exported_at: str, *names: str, rows: int = 1) -> Path:
    source, entity = name.split("/")[:2]
    entries = [{"name": n, "bytes": 1, "sha256": "0" * 64, "rows": rows} for n in names]
    content = {"source": source, "entity": entity, "exported_at": exported_at, "files": entries}
    return put(root, name, json.dumps(content).encode())


def test_an_event_file_is_complete_once_its_done_marker_exists(
    tmp_path: Path, contracts: Contracts
) -> None:
    put(tmp_path, "app/events/2026-03-05/10/a.jsonl")
    put(tmp_path, "app/events/2026-03-05/10/b.jsonl.gz")
    assert files(look(tmp_path, contracts)) == []
    put(tmp_path, "app/events/2026-03-05/10/b.jsonl.gz.done", b"")
    survey = look(tmp_path, contracts)
    assert files(survey) == ["app/events/2026-03-05/10/b.jsonl.gz"]
    assert [w.reason for w in survey.waiting] == ["waits for a.jsonl.done"]


def test_a_crm_file_is_complete_once_a_manifest_of_its_folder_names_it(
    tmp_path: Path, contracts: Contracts
) -> None:
    put(tmp_path, "crm/leads/d1/leads.csv")
    manifest(tmp_path, "crm/leads/d2/x.manifest.json", "2026-03-05T00:00:00+08:00", "leads.csv")
    assert files(look(tmp_path, contracts)) == []
    manifest(tmp_path, "crm/leads/d1/x.manifest.json", "2026-03-05T00:00:00+08:00", "leads.csv")
    assert files(look(tmp_path, contracts)) == ["crm/leads/d1/leads.csv"]


def test_the_manifest_that_was_exported_last_holds(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "crm/leads/leads.csv")
    manifest(
        tmp_path, "crm/leads/z.manifest.json", "2026-03-05T09:00:00+08:00", "leads.csv", rows=7
    )
    manifest(tmp_path, "crm/leads/a.manifest.json", "2026-03-05T02:00:00Z", "leads.csv", rows=8)
    (delivery,) = look(tmp_path, contracts).complete
    assert delivery.entry is not None
    assert delivery.entry.rows == 8
    assert delivery.exported_at == datetime(2026, 3, 5, 2, tzinfo=UTC)


def test_a_naive_export_time_is_chinese(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "crm/leads/leads.csv")
    manifest(tmp_path, "crm/leads/a.manifest.json", "2026-03-05 08:00:00", "leads.csv")
    (delivery,) = look(tmp_path, contracts).complete
    assert delivery.exported_at == datetime(2026, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        b'{"files": [{"name": "leads.csv"',
        b"[]",
        b'{"files": ["leads.csv"]}',
        b'{"files": [{"name": "leads.csv", "rows": "many"}]}',
        b'{"source": "dms", "entity": "leads", "files": [{"name": "leads.csv"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_an_unreadable_manifest_is_reported_and_completes_nothing(
    tmp_path: Path, contracts: Contracts, content: bytes
) -> None:
    put(tmp_path, "crm/leads/leads.csv")
    put(tmp_path, "crm/leads/leads.manifest.json", content)
    survey = look(tmp_path, contracts)
    assert files(survey) == []
    assert [stray.file for stray in survey.strays] == ["crm/leads/leads.manifest.json"]
    assert len(survey.waiting) == 1


def test_a_manifest_cannot_reach_into_other_folders(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "crm/leads/a/leads.csv")
    put(tmp_path, "crm/contacts/contacts.csv")
    names = ("a/leads.csv", "../contacts/contacts.csv", "../../../etc/passwd")
    manifest(tmp_path, "crm/leads/x.manifest.json", "2026-03-05T00:00:00+08:00", *names)
    assert files(look(tmp_path, contracts)) == []


def test_a_dms_file_is_complete_once_it_rested(tmp_path: Path, contracts: Contracts) -> None:
    file = put(tmp_path, "dms/dealers/dealers.csv")
    assert files(look(tmp_path, contracts)) == []
    long_ago = (datetime.now(UTC) - timedelta(seconds=11)).timestamp()
    os.utime(file, (long_ago, long_ago))
    assert files(look(tmp_path, contracts)) == ["dms/dealers/dealers.csv"]


def test_a_one_shot_run_does_not_wait(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "dms/dealers/dealers.csv")
    assert files(look(tmp_path, contracts, stable_seconds=0)) == ["dms/dealers/dealers.csv"]


def test_a_clock_that_runs_ahead_does_not_hold_a_file_forever(
    tmp_path: Path, contracts: Contracts
) -> None:
    file = put(tmp_path, "dms/dealers/dealers.csv")
    ahead = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    os.utime(file, (ahead, ahead))
    assert files(look(tmp_path, contracts)) == []
    earlier = Nothing(datetime.now(UTC) - timedelta(seconds=11))
    assert len(look(tmp_path, contracts, memory=earlier).complete) == 1


def test_deliveries_come_by_export_time_then_path(tmp_path: Path, contracts: Contracts) -> None:
    for day, name in ((7, "a.csv"), (6, "b.csv"), (6, "a2.csv")):
        put(tmp_path, f"crm/leads/{name}")
        when = f"2026-03-0{day}T00:00:00+08:00"
        manifest(tmp_path, f"crm/leads/{name}.manifest.json", when, name)
    assert files(look(tmp_path, contracts)) == [
        "crm/leads/a2.csv", "crm/leads/b.csv", "crm/leads/a.csv",
    ]  # fmt: skip


def test_what_no_contract_covers_is_reported(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "top.csv")
    put(tmp_path, "erp/orders/a.csv")
    put(tmp_path, "crm/unknown/a.csv")
    put(tmp_path, "crm/a.csv")
    reasons = {stray.file: stray.reason for stray in look(tmp_path, contracts).strays}
    assert reasons == {
        "top.csv": "is not below <source>/<entity>/",
        "crm/a.csv": "is not below <source>/<entity>/",
        "erp/orders/a.csv": "there is no source 'erp'",
        "crm/unknown/a.csv": "source 'crm' has no entity 'unknown'",
    }


def test_a_file_is_data_whatever_its_name_ends_with(tmp_path: Path, contracts: Contracts) -> None:
    names = ("dealers_20260305.txt", "D.CSV", "d.csv.gz", "no_extension", "d.2026.03.05", "d.json")
    for name in names:
        put(tmp_path, f"dms/dealers/{name}")
    for name in ("_SUCCESS", "Thumbs.db", "d.csv.md5", "d.csv.sha256", "d.csv.done"):
        put(tmp_path, f"dms/dealers/{name}")
    survey = look(tmp_path, contracts, stable_seconds=0)
    assert sorted(files(survey)) == sorted(f"dms/dealers/{name}" for name in names)
    assert {stray.reason for stray in survey.strays} == {"is a marker or checksum, no data"}
    assert len(survey.strays) == 4


def test_a_manifest_named_by_its_suffix_alone_counts(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "crm/leads/leads_20260305.txt")
    manifest(
        tmp_path, "crm/leads/.manifest.json", "2026-03-06T00:00:00+08:00", "leads_20260305.txt"
    )
    assert files(look(tmp_path, contracts)) == ["crm/leads/leads_20260305.txt"]


def test_a_path_of_a_contract_can_leave_files_out(tmp_path: Path, contracts: Contracts) -> None:
    narrow = replace(contracts["dms.dealers"], path="**/*.csv")
    put(tmp_path, "dms/dealers/a.csv")
    put(tmp_path, "dms/dealers/readme.txt")
    survey = look(tmp_path, Contracts({narrow.name: narrow}), stable_seconds=0)
    assert files(survey) == ["dms/dealers/a.csv"]
    assert [stray.reason for stray in survey.strays] == [
        "does not match **/*.csv, the path of dms.dealers"
    ]


def test_files_in_flight_are_left_alone(tmp_path: Path, contracts: Contracts) -> None:
    for name in (".a.csv", "a.csv.part", "a.csv.TMP", "~$a.csv", ".hidden/a.csv", "b.part/a.csv"):
        put(tmp_path, f"dms/dealers/{name}")
    survey = look(tmp_path, contracts, stable_seconds=0)
    assert (survey.complete, survey.waiting, survey.strays) == ([], [], [])


def test_links_out_of_the_landing_zone_are_not_followed(
    tmp_path: Path, contracts: Contracts
) -> None:
    outside = put(tmp_path, "outside/secret.csv")
    landing = tmp_path / "landing"
    inside = put(landing, "dms/dealers/real.csv")
    folder = landing / "dms" / "dealers"
    (folder / "escape.csv").symlink_to(outside)
    (folder / "within.csv").symlink_to(inside)
    (folder / "broken.csv").symlink_to(tmp_path / "nowhere")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "up").symlink_to(landing)
    os.mkfifo(folder / "pipe.csv")
    survey = look(landing, contracts, stable_seconds=0)
    assert files(survey) == ["dms/dealers/real.csv", "dms/dealers/within.csv"]
    assert {stray.file.rpartition("/")[2] for stray in survey.strays} == {
        "escape.csv", "broken.csv", "loop.csv", "up", "pipe.csv",
    }  # fmt: skip


def test_odd_names_are_found(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "dms/dealers/上海 一店/经销商 (1) [x]*.CSV")
    put(tmp_path, "dms/dealers/folder.csv/inner.csv")
    gbk = os.fsdecode("经销商".encode("gbk"))
    put(tmp_path, f"dms/dealers/{gbk}.csv")
    survey = look(tmp_path, contracts, stable_seconds=0)
    assert sorted(files(survey)) == [
        "dms/dealers/\\xbe\\xad\\xcf\\xfa\\xc9\\xcc.csv",
        "dms/dealers/folder.csv/inner.csv",
        "dms/dealers/上海 一店/经销商 (1) [x]*.CSV",
    ]
    zone = LandingZone(str(tmp_path))
    for delivery in survey.complete:
        with zone.open(delivery.file) as opened:
            assert opened.read() == b"x"


def test_one_source_can_be_looked_at_alone(tmp_path: Path, contracts: Contracts) -> None:
    put(tmp_path, "dms/dealers/a.csv")
    put(tmp_path, "crm/adf_leads/a.xml")
    survey = look(tmp_path, contracts, stable_seconds=0, source="crm")
    assert files(survey) == ["crm/adf_leads/a.xml"]
    with pytest.raises(ConfigurationError, match="there is no source 'erp'"):
        look(tmp_path, contracts, source="erp")


def test_an_empty_or_missing_landing_zone_is_no_fault(tmp_path: Path, contracts: Contracts) -> None:
    assert files(look(tmp_path / "nowhere", contracts)) == []


@pytest.fixture
def memory_zone() -> Iterator[str]:
    yield "memory://inbox"
    fsspec.filesystem("memory").rm("/inbox", recursive=True)


def test_a_remote_landing_zone_works_like_a_local_one(
    memory_zone: str, contracts: Contracts
) -> None:
    remote = fsspec.filesystem("memory")
    remote.pipe("/inbox/app/events/h 10/事件.jsonl", b"{}\n")
    remote.pipe("/inbox/app/events/h 10/事件.jsonl.done", b"")
    remote.pipe("/inbox/app/events/h 10/later.jsonl", b"{}\n")
    remote.pipe("/inbox/erp/x/y.csv", b"")
    survey = look(memory_zone, contracts)
    assert files(survey) == ["app/events/h 10/事件.jsonl"]
    assert len(survey.waiting) == len(survey.strays) == 1
    zone = LandingZone(memory_zone)
    assert zone.stat(survey.complete[0].file) == survey.complete[0].file
    zone.remove(survey.complete[0].file)
    assert files(look(memory_zone, contracts)) == []


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "d/e/a.CSV", True),
        ("**/*.csv", "a.csv.gz", False),
        ("**/*.{csv,csv.gz}", "d/a.csv.gz", True),
        ("*.csv", "d/a.csv", False),
        ("d?/x-*.csv", "d1/x-9.csv", True),
        ("**/*.csv", "a_csv", False),
    ],
)
def test_paths_match_as_globs(path: str, name: str, expected: bool) -> None:
    assert bool(path_pattern(path).fullmatch(name)) is expected
