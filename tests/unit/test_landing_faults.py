"""What goes wrong on the way to a server, or is wrong there on purpose, loses and opens nothing."""

import itertools
import os
import shutil
import stat
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paramiko
import pytest
from remote_cases import Line, SftpSite, Site, open_line
from test_landing_remote import dealer, event, ingest, statuses

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.erasure import landed
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.ingest import archive
from zhongtai.ingest.stillness import FileChanged, fetch
from zhongtai.landing import Delivery, LandedFile, LandingZone, Stray
from zhongtai.landing.pipelined import Pipelined
from zhongtai.settings import Settings

from landing_cases import Landing

_Disk = namedtuple("_Disk", "total used free")
# What a terminal would obey: clear it, and write its title.
OBEYED = "a\x1b[2J\x1b]0;mine\x07\r\nb\u202e.csv"
TOLD = "a\\x1b[2J\\x1b]0;mine\\x07\\r\\nb\\u202e.csv"


@pytest.fixture(params=["s3", "sftp"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def line(
    site: Site, sftp_server: SftpSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    """The way to the site, which then goes over it."""
    is_s3 = site.url.startswith("s3:")
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"]).port if is_s3 else None
    with open_line(endpoint or sftp_server.port) as line:
        if is_s3:
            from s3fs import S3FileSystem

            S3FileSystem.clear_instance_cache()
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        else:
            sftp_server.introduce(tmp_path / "user", port=line.port)
            site.url = site.url.replace(f":{sftp_server.port}/", f":{line.port}/")
        yield line


def left_over(settings: Settings) -> list[str]:
    return [file.name for file in settings.path("tmp").iterdir() if file.name != "ingest.lock"]


def test_a_file_whose_connection_breaks_comes_whole_with_the_next_run(
    site: Site, line: Line, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": site.url})
    content = Landing(Path(), contracts).content
    events = [event(n, properties={"series_code": os.urandom(2000).hex()}) for n in range(300)]
    site.put("app/events/large.jsonl", content(contracts["app.events"], events))
    site.put("app/events/large.jsonl.done", b"")
    site.put("dms/dealers/small.csv", content(contracts["dms.dealers"], dealer()))
    line.cut_after = 500_000
    with pytest.raises(ZhongtaiError) as raised:
        ingest(away, contracts)
    assert line.cuts
    assert raised.value.exit_code == 1
    assert f"the landing zone {site.url} " in raised.value.message
    assert "large.jsonl was read" in raised.value.message
    assert raised.value.hint
    assert statuses(away) == [("dms/dealers/small.csv", "loaded")]
    assert left_over(away) == []
    line.cut_after = None
    assert ingest(away, contracts).deliveries == 1
    assert statuses(away)[1:] == [("app/events/large.jsonl", "loaded")]


def test_names_that_lead_elsewhere_or_that_a_terminal_obeys_are_told_and_do_nothing(
    sftp: Site, sftp_server: SftpSite, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": sftp.url})
    content = Landing(Path(), contracts).content(contracts["dms.dealers"], dealer())
    sftp.put(f"dms/dealers/{OBEYED}", content)
    (sftp_server.root / "secret").mkdir(exist_ok=True)
    (sftp_server.root / "secret" / "s.csv").write_bytes(content)
    forged = [
        ("../../../secret", stat.S_IFDIR),
        ("../../../secret/s.csv", stat.S_IFREG),
        ("sub/s.csv", stat.S_IFREG),
        ("/etc/passwd", stat.S_IFREG),
        ("x" * 5000, stat.S_IFDIR),
    ]
    for name, kind in forged:
        entry = paramiko.SFTPAttributes()
        entry.filename, entry.st_mode, entry.st_size, entry.st_mtime = name, kind, len(content), 1
        sftp_server.forged.setdefault("/landing/dms/dealers", []).append(entry)
    try:
        report = ingest(away, contracts)
    finally:
        sftp_server.forged.clear()
    assert statuses(away) == [(f"dms/dealers/{TOLD}", "loaded")]
    assert len(report.strays) == len(forged)
    assert {stray.reason for stray in report.strays} == {
        "has a key that is no plain path",
        "has a name that is no plain one",
        "has a path of more than 2000 bytes",
    }


def test_keys_that_lead_elsewhere_or_that_a_terminal_obeys_are_told_and_do_nothing(
    s3: Site, settings: Settings, contracts: Contracts
) -> None:
    away = settings.model_copy(update={"landing": s3.url, "archive": True})
    content = Landing(Path(), contracts).content(contracts["dms.dealers"], dealer())
    obeyed, told = "a\x1b[2Jb\u202e.csv", "a\\x1b[2Jb\\u202e.csv"
    for name in (obeyed, "../../../../s.csv", "./s.csv", "/s.csv"):
        s3.put(f"dms/dealers/{name}", content)
    report = ingest(away, contracts)
    assert statuses(away) == [(f"dms/dealers/{told}", "loaded")]
    assert {stray.reason for stray in report.strays} == {"has a key that is no plain path"}
    assert len(report.strays) == 3
    outside = [f for f in settings.home.parent.rglob("*.csv") if settings.home not in f.parents]
    assert outside == []
    (kept,) = settings.path("archive").rglob("*.csv")
    assert kept.name == told


def test_a_source_that_is_a_link_on_the_server_is_not_followed(
    sftp: Site, sftp_server: SftpSite, sftp_root: Path
) -> None:
    outside = sftp_server.root / "outside" / "dealers"
    outside.mkdir(parents=True, exist_ok=True)
    (outside / "s.csv").write_bytes(b"x")
    (sftp_root / "dms").symlink_to(outside.parent)
    for found in (LandingZone(sftp.url).list(), LandingZone(sftp.url).list("dms")):
        assert [(one.file, one.reason) for one in found if isinstance(one, Stray)] == [
            ("dms", "is a link")
        ]


def test_a_wrong_password_is_told_and_not_shown(
    sftp: Site, sftp_server: SftpSite, tmp_path: Path
) -> None:
    (tmp_path / "user" / ".ssh" / "id_ecdsa").unlink()
    with pytest.raises(ConfigurationError, match="refuses us: access denied") as raised:
        LandingZone(sftp_server.url(user="dealer:not the password")).check()
    assert "not the" not in str(raised.value)


def test_a_host_whose_key_changed_while_we_were_connected_is_refused(
    sftp: Site, sftp_server: SftpSite
) -> None:
    sftp.put("dms/dealers/a.csv", b"x")
    zone = LandingZone(sftp.url)
    assert len(list(zone.list())) == 1
    before = sftp_server.host_key
    sftp_server.host_key = paramiko.ECDSAKey.generate()
    sftp_server.hang_up()
    try:
        with pytest.raises(ConfigurationError, match="a host whose key is not the known one"):
            list(zone.list())
    finally:
        sftp_server.host_key = before


def test_a_chain_of_protocols_is_no_way_around_the_check_of_the_host(
    sftp: Site, tmp_path: Path
) -> None:
    (tmp_path / "user" / ".ssh" / "known_hosts").write_text("")
    for protocol in ("simplecache", "filecache", "dir"):
        for url in (sftp.url, sftp.url.replace("sftp:", "ssh:")):
            with pytest.raises(ConfigurationError, match="is no URL that can be opened"):
                LandingZone(f"{protocol}::{url}")


def test_a_file_without_end_is_left_after_what_was_listed(
    site: Site, contracts: Contracts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("dms/dealers/a.csv", b"one")
    zone = LandingZone(site.url)
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    endless = itertools.repeat(b"x")
    monkeypatch.setattr(zone._remote, "blocks", lambda _: endless)
    with pytest.raises(FileChanged):
        fetch(zone, tmp_path, Delivery(contracts["dms.dealers"], file, ""))
    with pytest.raises(FileNotFoundError):
        zone.open(file)


def test_a_server_that_lies_about_a_size_does_not_fill_our_memory(
    sftp: Site, sftp_server: SftpSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    sftp.put("dms/dealers/a.csv", b"one")
    zone = LandingZone(sftp.url)
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    asked: list[int] = []
    real = paramiko.SFTPClient._async_request

    def count(*arguments: object) -> int:
        asked.append(1)
        return int(real(*arguments))

    monkeypatch.setattr(paramiko.SFTPClient, "_async_request", count)
    lie = {**zone._remote.info(file.location), "size": 1 << 60}  # type: ignore[union-attr]
    monkeypatch.setattr(zone._remote, "info", lambda _: lie)
    assert b"".join(zone.read_blocks(file)) == b"one"
    assert len(asked) < 200


@pytest.mark.parametrize("most", [None, 1000, 30_000])
def test_a_large_file_arrives_whole_however_little_a_server_sends_at_once(
    sftp: Site, sftp_server: SftpSite, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    content = os.urandom(3_000_001)
    sftp.put("dms/dealers/a.csv", content)
    zone = LandingZone(sftp.url)
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    held: list[int] = []
    real = Pipelined._async_response

    def note(self: Pipelined, kind: int, message: object, number: int) -> None:
        real(self, kind, message, number)
        held.append(len(self._waiting) + len(self._arrived))

    monkeypatch.setattr(Pipelined, "_async_response", note)
    monkeypatch.setattr(sftp_server, "most_sent", most)
    assert b"".join(zone.read_blocks(file)) == content
    assert 32 <= max(held) <= 64


def test_a_file_that_the_disk_has_no_room_for_waits_for_room(
    site: Site, settings: Settings, contracts: Contracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = settings.model_copy(update={"landing": site.url})
    content = Landing(Path(), contracts).content(contracts["dms.dealers"], dealer(20))
    site.put("dms/dealers/a.csv", content)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: _Disk(10**9, 10**9, 10))
        with pytest.raises(ZhongtaiError, match="the disk of the home has no room") as raised:
            ingest(away, contracts)
    assert raised.value.exit_code == 1
    assert f"dms/dealers/a.csv has {len(content)} bytes" in raised.value.message
    assert (statuses(away), left_over(away)) == ([], [])
    assert ingest(away, contracts).deliveries == 1


def test_a_disk_that_fills_meanwhile_is_told_as_what_it_is(site: Site) -> None:
    site.put("dms/dealers/a.csv", b"one")
    zone = LandingZone(site.url)
    (file,) = zone.list()
    assert isinstance(file, LandedFile)
    full = Path("/dev/full")  # a disk that is always full
    with full.open("wb", buffering=0) as opened, pytest.raises(OSError, match="No space left"):
        opened.write(b"x")
    with pytest.raises(ZhongtaiError, match="no room"):
        zone.copy(file, full)


def test_a_file_that_goes_before_it_is_archived_stops_nothing(
    site: Site, settings: Settings, contracts: Contracts, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = settings.model_copy(update={"landing": site.url, "archive": True})
    content = Landing(Path(), contracts).content
    for number in (1, 2):
        name = f"dms/dealers/{number}.csv"
        site.put(name, content(contracts["dms.dealers"], dealer(number)))
    real = archive._copy_place

    def take_away(settings: Settings, file: LandedFile) -> Path:
        if file.name == "1.csv":
            site.remove(file.label)
        return real(settings, file)

    monkeypatch.setattr(archive, "_copy_place", take_away)
    assert ingest(away, contracts).deliveries == 2
    assert [file.name for file in settings.path("archive").rglob("*.csv")] == ["2.csv"]
    assert list(LandingZone(site.url).list()) == []
    assert left_over(away) == []


def test_an_erasure_goes_on_where_a_server_does_not_answer_and_the_next_run_removes(
    sftp: Site, sftp_server: SftpSite, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sftp.put("crm/leads/a.csv", b"x")
    (file,) = LandingZone(sftp.url).list()
    assert isinstance(file, LandedFile)
    known = {(file.label, file.bytes, file.modified_at)}
    monkeypatch.setattr(landed, "_known", lambda _: known)
    away = settings.model_copy(update={"landing": sftp.url, "archive": True})
    silent = away.model_copy(update={"landing": "sftp://dealer@127.0.0.1:9/landing"})
    with connect(settings) as connection:
        (told,) = landed.remove_or_tell_named(silent, connection)
        assert told.startswith("crm/leads/a.csv (perhaps: the landing zone sftp://dealer@127.0.0.1")
        with pytest.raises(ZhongtaiError, match="cannot be reached"):
            landed.remove_named(silent, connection)
        assert landed.remove_or_tell_named(away, connection) == []
    assert list(LandingZone(sftp.url).list()) == []


def test_a_folder_above_the_home_is_not_ours_however_it_is_written(settings: Settings) -> None:
    def is_ours(landing: str) -> bool:
        return landed.is_ours(settings.model_copy(update={"landing": landing}))

    home = settings.home.absolute()
    assert is_ours("")
    assert is_ours(f"file://{home}/landing/x/..")
    assert not is_ours(f"{home}/../exports")
    assert not is_ours(f"file://{home}/landing/../../exports")


@pytest.mark.parametrize("archive_first", [True, False])
def test_a_folder_that_becomes_a_link_leads_to_no_file_elsewhere(  # noqa: PLR0917 - fixtures
    settings: Settings,
    contracts: Contracts,
    landing: Landing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    archive_first: bool,
) -> None:
    """Who delivers swaps the folder, for one with a file of the same name, size and time."""
    file = landing.deliver("dms.dealers", dealer())
    zone = LandingZone(settings.landing_url)
    (found,) = [one for one in zone.list() if isinstance(one, LandedFile)]
    precious = tmp_path / "elsewhere" / file.name
    shutil.copytree(file.parent, precious.parent)
    os.utime(precious, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns))
    if archive_first:
        real = archive._hash

        def swap(zone: LandingZone, file: LandedFile) -> str:
            digest = real(zone, file)
            _swap(landing.root / "dms" / "dealers", precious.parent)
            return digest

        monkeypatch.setattr(archive, "_hash", swap)
        ingest(settings.model_copy(update={"archive": True}), contracts)
    else:
        _swap(landing.root / "dms" / "dealers", precious.parent)
        assert zone.stat(found) is None
        zone.remove(found)
    assert precious.exists()
    assert list(settings.path("archive").rglob("*.csv")) == []


def _swap(folder: Path, target: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.symlink_to(target)
