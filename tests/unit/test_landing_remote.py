"""A landing zone on S3 or SFTP is taken in as one on a local disk is; the servers are real."""

import gzip
import io
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pytest
from psycopg.rows import dict_row
from remote_cases import BUCKET, SftpSite, Site

from zhongtai.arrivals import Arrivals
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.doctor import EXAMINATIONS, Patient
from zhongtai.erasure import landed
from zhongtai.ingest import IngestReport, drain
from zhongtai.ingest.stillness import FileChanged, fetch
from zhongtai.landing import Delivery, LandedFile, LandingZone, Stray
from zhongtai.runs import start_run
from zhongtai.settings import Settings, load_settings

from landing_cases import Landing

_numbers = itertools.count()


@pytest.fixture(params=["s3", "sftp"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def twin(settings: Settings, postgres_server: str, tmp_path: Path) -> Iterator[Settings]:
    """A second home with a database of its own, whose landing zone is a local folder."""
    name, template = f"zhongtai_twin_{next(_numbers)}", "zhongtai_template"
    server = postgres_server.replace(f"/{template}", "/postgres")
    url = postgres_server.replace(f"/{template}", f"/{name}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    yield load_settings(home=tmp_path / "twin", database_url=url, stable_seconds=0, threads=2)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def ingest(settings: Settings, contracts: Contracts, **options: Any) -> IngestReport:
    with connect(settings) as connection:
        run = start_run(connection, "test")
    return drain(settings, contracts, run, **options)


def ledger(settings: Settings) -> list[dict[str, Any]]:
    """What the ledger says of every delivery, but when and where."""
    with connect(settings) as connection:
        return (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select source, entity, file, sha256, bytes, status, rows_in,"
                " rows_loaded, rows_quarantined, rows_duplicate, rule, reason, exported_at"
                " from ledger.deliveries order by sequence"
            )
            .fetchall()
        )


def statuses(settings: Settings) -> list[tuple[str, str]]:
    return [(row["file"], row["status"]) for row in ledger(settings)]


def event(number: int, **changes: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "ViewSeries",
        "distinct_id": f"d{number}",
        "time": 1_770_000_000_000 + number,
        "_track_id": number,
        "properties": {"series_code": "S1"},
    } | changes


def lead(number: int) -> dict[str, object]:
    times = {"线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"}
    return {"线索唯一ID": f"L{number}"} | times


def workbook(contracts: Contracts) -> bytes:
    book = openpyxl.Workbook()
    columns = [column.delivered for column in contracts["dms.test_drives"].columns]
    book.active.append(columns)
    book.active.append(
        [{"试驾单号": "T1", "开始时间": "2026-03-01 10:00:00"}.get(c) for c in columns]
    )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def dealer(number: int = 1) -> list[dict[str, object]]:
    return [{"经销商代码": f"D{n}", "更新时间": "2026-03-01 10:00:00"} for n in range(number)]


def test_the_ledger_is_that_of_a_local_disk(
    site: Site, settings: Settings, twin: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url})
    here = Landing(Path(twin.landing_url), contracts)
    here.deliver("app.events", [event(1), event(2)], "2026-03-05/h 10/事件 一.jsonl")
    zipped = gzip.compress(here.content(contracts["app.events"], [event(3)]), mtime=0)
    here.deliver("app.events", zipped, "2026-03-05/11/b.jsonl.gz")
    here.deliver("crm.leads", [lead(1), lead(2)], "d 1/线索.csv")
    here.deliver("crm.leads", [lead(1), lead(2)], "d2/the same bytes.csv")
    wrong = here.deliver("crm.follow_ups", [])
    here.name_in_manifest(wrong, rows=7)
    here.deliver("dms.dealers", dealer(3), "上海 (1) [x]#%20.CSV")
    here.deliver("dms.test_drives", workbook(contracts), "book.xlsx")
    for name in ("app/events/unmarked.jsonl", "erp/x/y.csv", "dms/dealers/a.csv.part"):
        file = here.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"{}\n")
    site.mirror(here.root)
    told = [ingest(away, contracts), ingest(twin, contracts)]
    assert [len(report.waiting) for report in told] == [1, 1]
    assert told[0].strays == told[1].strays != []
    assert len(ledger(twin)) == 7

    again = here.root / "app/events/2026-03-05/h 10/事件 一.jsonl"
    site.remove(f"{again.relative_to(here.root)}.done")
    here.deliver("app.events", [event(n) for n in range(1, 9)], "2026-03-05/h 10/事件 一.jsonl")
    here.deliver("dms.dealers", dealer(5), "上海 (1) [x]#%20.CSV")
    site.mirror(here.root)
    for _ in range(2):
        ingest(away, contracts)
        ingest(twin, contracts)
    rows = ledger(away)
    assert {row["status"] for row in rows} == {"loaded", "duplicate", "quarantined"}
    assert len(rows) == 9
    assert rows == ledger(twin)


def test_what_was_taken_in_is_not_looked_at_again_and_what_comes_is_seen(
    site: Site, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url})
    arrivals = Arrivals(away, "dms")
    content = Landing(Path(), contracts).content(contracts["dms.dealers"], dealer())
    site.put("dms/dealers/a.csv", content)
    assert [o.file for o in arrivals.find_new()] == ["dms/dealers/a.csv"]
    assert ingest(away, contracts).deliveries == 1
    site.put("dms/dealers/sub/b.csv", content)
    assert [o.file for o in arrivals.find_new()] == ["dms/dealers/sub/b.csv"]
    assert ingest(away, contracts).deliveries == 1
    assert ingest(away, contracts).deliveries == 0
    assert statuses(away) == [
        ("dms/dealers/a.csv", "loaded"),
        ("dms/dealers/sub/b.csv", "duplicate"),
    ]


def test_a_file_rests_before_it_is_taken_in(
    site: Site, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url, "stable_seconds": 60})
    write = Landing(Path(), contracts).content
    site.put("dms/dealers/a.csv", write(contracts["dms.dealers"], dealer(1)))
    assert [w.reason for w in ingest(away, contracts).waiting] == ["waits until unchanged for 60 s"]
    site.put("dms/dealers/a.csv", write(contracts["dms.dealers"], dealer(2)))
    assert len(ingest(away, contracts).waiting) == 1
    time.sleep(1.1)
    assert ingest(away.model_copy(update={"stable_seconds": 1}), contracts).waiting == []
    assert [(row["status"], row["rows_in"]) for row in ledger(away)] == [("loaded", 2)]


def test_a_server_whose_clock_is_behind_shows_no_file_as_resting(
    sftp: Site, sftp_root: Path, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": sftp.url, "stable_seconds": 30})
    sftp.put("dms/dealers/now.csv", b"x")
    sftp.put("dms/dealers/old.csv", b"x")
    for name, seconds in (("now", 300), ("old", 3600)):
        then = time.time() - seconds
        os.utime(sftp_root / f"dms/dealers/{name}.csv", (then, then))
    assert [w.file for w in ingest(away, contracts).waiting] == ["dms/dealers/now.csv"]


def take(zone: LandingZone, contracts: Contracts, folder: Path, file: LandedFile) -> bytes:
    path, _ = fetch(zone, folder, Delivery(contracts["dms.dealers"], file, ""))
    return path.read_bytes()


@pytest.mark.parametrize("change", ["longer", "gone"])
def test_a_file_that_is_replaced_while_it_is_read_waits(
    site: Site, contracts: Contracts, tmp_path: Path, change: str
) -> None:
    zone = LandingZone(site.url)
    site.put("dms/dealers/a.csv", b"one")
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    assert take(zone, contracts, tmp_path, file) == b"one"
    if change == "gone":
        site.remove("dms/dealers/a.csv")
    else:
        site.put("dms/dealers/a.csv", b"longer")
    with pytest.raises(FileChanged):
        take(zone, contracts, tmp_path, file)


def test_an_object_that_is_replaced_by_one_of_the_same_size_is_not_read_as_the_old_one(
    s3: Site, contracts: Contracts, tmp_path: Path
) -> None:
    zone = LandingZone(s3.url)
    s3.put("dms/dealers/a.csv", b"one")
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    s3.put("dms/dealers/a.csv", b"two")
    with pytest.raises(FileChanged):
        take(zone, contracts, tmp_path, file)


def test_a_listing_of_many_pages_is_whole_and_folder_objects_are_no_files(
    s3: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    names = [f"dms/dealers/{n:02}.csv" for n in range(10)]
    for name in (*names, "", "dms/", "dms/dealers/2026/"):
        s3.put(name, b"x" if name.endswith(".csv") else b"")
    for name in ("dms/dealers//a.csv", "dms/dealers/../b.csv", "dms/dealers/filled/"):
        s3.put(name, b"x")
    found = list(LandingZone(s3.url).list())
    assert [one.label for one in found if isinstance(one, LandedFile)] == names
    reasons = [one.reason for one in found if isinstance(one, Stray)]
    assert reasons == ["has a key that is no plain path"] * 3


def test_links_pipes_and_names_of_other_encodings_are_told_and_never_read(
    sftp: Site, sftp_server: SftpSite, sftp_root: Path
) -> None:
    sftp.put("dms/dealers/real.csv", b"x")
    folder = sftp_root / "dms" / "dealers"
    (folder / "out.csv").symlink_to("/etc/passwd")
    (folder / "up").symlink_to(sftp_root)
    os.mkfifo(folder / "pipe.csv")
    sftp.put("dms/vehicles/closed/a.csv", b"x")
    (sftp_root / "crm" / "gbk").mkdir(parents=True)
    (sftp_root / "crm" / "gbk" / os.fsdecode("线索.csv".encode("gbk"))).touch()
    sftp_server.denied.add("/landing/dms/vehicles/closed")
    found = list(LandingZone(sftp.url).list())
    assert [one.label for one in found if isinstance(one, LandedFile)] == ["dms/dealers/real.csv"]
    assert {one.file: one.reason for one in found if isinstance(one, Stray)} == {
        "dms/dealers/out.csv": "is a link",
        "dms/dealers/up": "is a link",
        "dms/dealers/pipe.csv": "is neither a file nor a folder",
        "dms/vehicles/closed": "cannot be listed: permission denied",
        "crm/gbk": "cannot be listed: it holds a name that is no UTF-8",
    }
    sftp_server.denied.clear()


def test_workers_share_one_connection_and_a_lost_one_is_made_again(
    sftp: Site, sftp_server: SftpSite, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": sftp.url, "threads": 4})
    arrivals = Arrivals(away, "app")
    assert arrivals.find_new() == []
    write = Landing(Path(), contracts).content
    for number in range(30):
        sftp.put(f"app/events/{number:02}.jsonl", write(contracts["app.events"], [event(number)]))
        sftp.put(f"app/events/{number:02}.jsonl.done", b"")
    sftp_server.hang_up()
    assert len(arrivals.find_new()) == 30
    before = len(sftp_server.transports)
    assert ingest(away, contracts).deliveries == 30
    assert {status for _, status in statuses(away)} == {"loaded"}
    # one that looks, one that all workers read through
    assert len(sftp_server.transports) - before <= 2


def test_a_file_longer_than_a_block_arrives_whole(
    site: Site, contracts: Contracts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("remote", "sftp"):
        monkeypatch.setattr(f"zhongtai.landing.{module}.BLOCK", 1 << 16)
    content = os.urandom(300_000)
    site.put("dms/dealers/large.csv", content)
    zone = LandingZone(site.url)
    (file,) = zone.list("dms")
    assert isinstance(file, LandedFile)
    assert take(zone, contracts, tmp_path, file) == content
    with zone.open(file) as opened:
        assert opened.read() == content


def test_an_archived_file_leaves_the_server(
    site: Site, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url, "archive": True})
    content = Landing(Path(), contracts).content(contracts["app.events"], [event(1)])
    site.put("app/events/a b.jsonl", content)
    site.put("app/events/a b.jsonl.done", b"")
    ingest(away, contracts)
    (row,) = ledger(away)
    archived = settings.path("archive", "app", "events", row["sha256"], "a b.jsonl")
    assert archived.read_bytes() == content
    assert list(LandingZone(site.url).list()) == []
    assert [file.name for file in settings.path("tmp").iterdir()] == ["ingest.lock"]


def test_an_erasure_tells_what_may_lie_where_it_cannot_look(
    sftp: Site, sftp_server: SftpSite, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sftp.put("crm/leads/a.csv", b"x")
    (file,) = LandingZone(sftp.url).list()
    assert isinstance(file, LandedFile)
    known = {(file.label, file.bytes, file.modified_at)}
    monkeypatch.setattr(landed, "_known", lambda _: known)
    with connect(settings) as connection:
        away = settings.model_copy(update={"landing": sftp.url})
        assert landed.remove_named(away, connection) == ["crm/leads/a.csv"]
        away = settings.model_copy(update={"landing": sftp_server.url("/gone")})
        (told,) = landed.remove_named(away, connection)
    assert told.startswith("crm/leads/a.csv (perhaps: the landing zone sftp://dealer@127.0.0.1:")
    assert told.endswith("/gone does not exist)")


def test_the_doctor_looks_at_the_landing_zone(
    site: Site, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url})
    gone = away.model_copy(update={"landing": site.url.replace(BUCKET, "nobucket") + "/gone"})
    with connect(settings, autocommit=True) as connection:
        patient = Patient(away, contracts, connection)
        look = EXAMINATIONS["landing zone"]
        assert look(patient) == (site.url, [])
        (symptom,) = look(replace(patient, settings=gone))[1]
    assert symptom.found.endswith("/gone does not exist")
