"""Addresses are told without their secrets, however they are written, and a lake has none."""

import sys
import traceback
from pathlib import Path

import pytest

from zhongtai import cli
from zhongtai.addresses import holds_secret, masked, masked_within
from zhongtai.errors import ConfigurationError
from zhongtai.settings import load_settings
from zhongtai.transform import without_values

PLANTED = "hunter2"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sftp://dealer@host/out", "sftp://dealer@host/out"),
        ("sftp://dealer@host:22/in@box", "sftp://dealer@host:22/in@box"),
        ("sftp://dealer:hunter2@host:22/out", "sftp://dealer:***@host:22/out"),
        ("sftp://dealer:hun@ter/2:hunter2@host:22/out", "sftp://dealer:***@host:22/out"),
        ("sftp://dealer@corp.com:hunter2@host/out", "sftp://dealer@corp.com:***@host/out"),
        ("sftp://dealer@corp.com:22hunter2@host/out", "sftp://dealer@corp.com:***@host/out"),
        ("sftp://:hunter2@host/out", "sftp://:***@host/out"),
        ("sftp://dealer:hunter2\nhunter2@host/out", "sftp://dealer:***@host/out"),
        ("sftp://dealer:hunter2?hunter2@host/out", "sftp://dealer:***@host/out"),
        ("sftp:/dealer:hunter2@host/out", "sftp:***@host/out"),
        ("sftp:dealer:hunter2@host/out", "sftp:***@host/out"),
        ("sftp//dealer:hunter2@host/out", "sftp//dealer:***@host/out"),
        ("/folder/sftp:/dealer:hunter2@host/out", "/folder/sftp:***@host/out"),
        ("s3://key:hunter2@bucket/z", "s3://key:***@bucket/z"),
        ("s3://hunter2@bucket/z", "s3://***@bucket/z"),
        ("https://hunter2@host/z", "https://***@host/z"),
        ("simplecache::sftp://a:hunter2@host/z", "simplecache::sftp://a:***@host/z"),
        ("abfs://container@account.example.com/z", "abfs://container@account.example.com/z"),
        ("https://host/z?X-Amz-Signature=hunter2", "https://host/z?***"),
        ("s3://bucket/z?a=1\n&secret=hunter2", "s3://bucket/z?***"),
        ("s3:/bucket/z?secret=hunter2", "s3:/bucket/z?***"),
        ("/exports/what?", "/exports/what?"),
        ("/exports/10:30/a b", "/exports/10:30/a b"),
    ],
)
def test_a_url_is_told_without_its_secrets(url: str, told: str) -> None:
    assert masked(url) == told
    assert holds_secret(url) == (url != told)
    assert holds_secret(url) == (PLANTED in url)


def test_a_text_is_told_without_the_secrets_of_its_urls() -> None:
    text = "no s3://k:hunter2@b/z today\nand https://h/z?sig=hunter2 neither, s3://b/y at all"
    told = "no s3://k:***@b/z today\nand https://h/z?*** neither, s3://b/y at all"
    assert masked_within(text) == told
    assert PLANTED not in without_values("IO Error: cannot open s3://b/part?sig=hunter2")


LAKES = {
    "s3://key:hunter2@bucket/lake": "ZHONGTAI_LAKE='s3://key:***@bucket/lake'",
    "s3://bucket/lake?secret=hunter2": "ZHONGTAI_LAKE='s3://bucket/lake?***",
    "s3:/key:hunter2@bucket/lake": "ZHONGTAI_LAKE='s3:***@bucket/lake'",
    "sftp://dealer:hunter2@host/lake": "ZHONGTAI_LAKE='sftp://dealer:***@host/lake'",
    "sftp://dealer@host/lake": "expected a folder or an object store",
    "simplecache::s3://bucket/lake": "expected a folder or an object store",
}


@pytest.mark.parametrize("command", [["status"], ["doctor", "--json"], ["ingest"]])
@pytest.mark.parametrize("lake", LAKES)
def test_a_lake_with_a_secret_is_refused_and_told_without_it(
    lake: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ZHONGTAI_HOME", str(tmp_path))
    monkeypatch.setenv("ZHONGTAI_LAKE", lake)
    monkeypatch.setenv("ZHONGTAI_LOG_LEVEL", "DEBUG")
    monkeypatch.setattr(sys, "argv", ["zhongtai", *command])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    told = capsys.readouterr()
    assert LAKES[lake] in told.err
    assert PLANTED not in told.out + told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"), [("PROFILES_KEY", PLANTED), ("LAKE", f"s3://k:{PLANTED}@bucket")]
)
def test_a_wrong_setting_is_not_quoted_by_the_trace_of_its_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow shows and keeps the whole trace of a DAG file that cannot be imported
    monkeypatch.setenv(f"ZHONGTAI_{name}", value)
    with pytest.raises(ConfigurationError) as raised:
        load_settings()
    trace = "".join(traceback.format_exception(raised.value))
    assert f"ZHONGTAI_{name}" in trace
    assert PLANTED not in trace


def test_a_trace_for_debugging_shows_no_secret_of_a_url(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(f"nothing at sftp://dealer:{PLANTED}@host/x?token={PLANTED}")

    monkeypatch.setenv("ZHONGTAI_LOG_LEVEL", "DEBUG")
    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "nothing at sftp://dealer:***@host/x?***" in told
    assert PLANTED not in told
