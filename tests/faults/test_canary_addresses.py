"""Secrets of a landing zone and a raw zone elsewhere are searched for wherever anybody may look."""

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from canary_cases import all_forms, as_utf8, call, search, search_database, search_home
from moto.server import ThreadedMotoServer
from remote_cases import PASSWORD, SftpSite, serve_sftp
from s3fs import S3FileSystem

from zhongtai import pipeline, quarantine, warehouse
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.runs import Run
from zhongtai.settings import Settings, load_settings

from landing_cases import Landing

S3_PLANTED = "CANARY-S3-7hQ2/+xw"
SESSION_PLANTED = "CANARY-TOKEN-51ksW9=="
QUERY = "CANARY-QUERY-9a0Zt4"
SECRETS = (PASSWORD, S3_PLANTED, SESSION_PLANTED, QUERY)
LEAD = {
    "线索唯一ID": "L-1",
    "线索创建时间": "2026-03-01 10:00:00",
    "更新时间": "2026-03-02 10:00:00",
}

COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["doctor"],
    ["doctor", "--json"],
    ["quarantine", "list", "--json"],
    ["quarantine", "replay"],
    ["quarantine", "replay", "--json"],
    ["retention", "--dry-run"],
    ["retention", "--json"],
    ["erase", "--identifier", "mobile=+8613812345678", "--because", "x"],
    ["demo"],
    ["ingest"],
)


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpSite]:
    """A landing zone that wants a password."""
    served = tmp_path / "served"
    (served / "landing").mkdir(parents=True)
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with serve_sftp(served) as site:
        site.introduce(tmp_path / "user", with_key=False)
        yield site


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket for the raw zone; its keys are in the environment."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": S3_PLANTED,
        "AWS_SESSION_TOKEN": SESSION_PLANTED,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    boto3.client("s3").create_bucket(Bucket="lake")
    yield "s3://lake/raw zone"
    server.stop()


@pytest.fixture
def away(settings: Settings, sftp: SftpSite, s3: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose landing zone and raw zone are elsewhere, in the environment of commands."""
    url = sftp.url(user=f"dealer:{PASSWORD}")
    monkeypatch.setenv("ZHONGTAI_HOME", str(settings.home))
    monkeypatch.setenv("ZHONGTAI_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("ZHONGTAI_LANDING", url)
    monkeypatch.setenv("ZHONGTAI_LAKE", s3)
    monkeypatch.setenv("ZHONGTAI_STABLE_SECONDS", "0")
    monkeypatch.setenv("ZHONGTAI_LOG_LEVEL", "DEBUG")
    return load_settings()


def deliver(landing: Landing) -> None:
    """Rows that load, rows set aside with and without their values, and a file set aside whole."""
    landing.deliver("crm.leads", [LEAD, LEAD | {"线索唯一ID": "L-2", "线索创建时间": "x"}])
    landing.deliver("app.events", b'{"type": "tr\n')
    landing.deliver("dms.dealers", "经销商代码,大区\nD1,华东\n".encode("gbk"))


def test_no_secret_of_an_address_gets_out(  # noqa: PLR0917 - fixtures
    away: Settings,
    sftp: SftpSite,
    contracts: Contracts,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    deliver(Landing(sftp.root / "landing", contracts))
    seen = {"settings": repr(away), "task": str(pipeline.ingest(away).as_dict())}
    assert sum(item.rows for item in quarantine.list_(away)) == 2
    warehouse.prepare(away, contracts, run)
    for command in COMMANDS:
        seen[" ".join(command)] = call(command, monkeypatch)
    assert f"dealer:***@127.0.0.1:{sftp.port}/landing" in seen["doctor"]
    assert '"rows_refused": 1' in seen["quarantine replay --json"]
    good = away.landing
    for number, wrong in enumerate(
        (
            f"{good}/nowhere",
            good.replace("dealer:", "nobody:"),
            good.replace("dealer:", "nobody@example.com:"),
            good.replace("sftp://", "sftp:/"),
            good.replace("sftp://", "s3://"),
            f"{good}?token={QUERY}",
            f"s3://nowhere/z?secret={QUERY}",
            f"simplecache::{good}",
        )
    ):
        monkeypatch.setenv("ZHONGTAI_LANDING", wrong)
        for command in (["ingest"], ["doctor", "--json"], ["quarantine", "replay"]):
            seen[f"{number} {command[0]}"] = call(command, monkeypatch)
        seen[f"{number} --landing"] = call(["ingest", "--landing", wrong], monkeypatch)
        assert "the landing " in seen[f"{number} --landing"]
    for record in caplog.records:
        seen[record.name] = seen.get(record.name, "") + f"{record.getMessage()} {record.exc_text}\n"
    sought = all_forms(SECRETS)
    assert {
        what: told for what, text in seen.items() if (told := search(as_utf8(text), sought))
    } == {}
    files, found = search_home(away.home, sought)
    with connect(away) as connection:
        tables, told = search_database(connection, sought)
    assert (files, tables) >= (3, 20)
    assert (found, told) == ({}, {})
    # nor where persons belong: the views of the working file hold the address of the raw zone
    for file in away.home.rglob("*"):
        if file.is_file():
            assert search(file.read_bytes(), sought) == set(), file
