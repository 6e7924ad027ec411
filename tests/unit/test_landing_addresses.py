"""A wrong landing zone is told as what it is, in bounded time, and no secret is told with it."""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fsspec.config import conf
from remote_cases import PASSWORD, SftpSite, Site

from zhongtai import cli, pipeline
from zhongtai.cli.options import make_settings
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.doctor import EXAMINATIONS, Patient
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.landing import LandingZone
from zhongtai.landing.addresses import explain
from zhongtai.settings import Settings


def refusal(home: Path, landing: str, code: int = 2) -> str:
    """What the command line says of a landing zone that cannot be used."""
    with pytest.raises(ZhongtaiError) as raised:
        make_settings(home, landing)
    assert raised.value.exit_code == code
    assert raised.value.hint
    return str(raised.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("foo://x/y", "the landing zone foo://x/y: there is no file system foo://"),
        ("gs://bucket/z", "needs a library that is not installed: Please install gcsfs"),
        ("s3://", "names no bucket"),
        ("s3://a*b/z", "is no URL that can be opened"),
        ("sftp://", "is no URL that can be opened"),
        ("sftp://user@host/z?timeout=3", "is no URL that can be opened"),
    ],
)
def test_a_url_that_nothing_opens_is_told(s3: Site, tmp_path: Path, url: str, said: str) -> None:
    assert said in refusal(tmp_path / "home", url)


def test_a_file_or_a_missing_folder_is_no_landing_zone(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.touch()
    for landing in (str(file), f"file://{file}"):
        assert f"{file} is a file, not a folder" in refusal(tmp_path, landing)
    for landing in (f"{tmp_path}/no", f"file://{tmp_path}/no"):
        assert f"{tmp_path}/no does not exist" in refusal(tmp_path, landing)
    with pytest.raises(ConfigurationError, match="is a file, not a folder"):
        list(LandingZone(str(file)).list())


def test_what_does_not_exist_on_a_server_is_told(
    s3: Site, sftp: Site, sftp_server: SftpSite, sftp_root: Path, tmp_path: Path
) -> None:
    (sftp_root / "a.csv").touch()
    s3.put("a.csv", b"x")
    for url in ("s3://no-such-bucket/z", "s3://no-such-bucket", sftp_server.url("/no/where")):
        assert f"{url} does not exist" in refusal(tmp_path, url)
        with pytest.raises(ConfigurationError, match="does not exist"):
            list(LandingZone(url).list("crm"))
    for url in (f"{s3.url}/a.csv", sftp_server.url("/landing/a.csv")):
        assert f"{url} is a file, not a folder" in refusal(tmp_path, url)


def test_a_zone_that_holds_nothing_yet_is_no_fault(
    s3: Site, sftp: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for site in (s3, sftp):
        assert make_settings(tmp_path, site.url).landing == site.url
        assert capsys.readouterr().err == f"nothing lies in {site.url} yet\n"
        site.put("crm/leads/a.csv", b"x")
        make_settings(tmp_path, site.url)
        assert capsys.readouterr().err == ""


def test_no_credentials_and_a_host_that_is_not_there_are_told(
    s3: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    started = time.monotonic()
    assert "cannot be reached" in refusal(tmp_path, s3.url, 1)
    assert "cannot be reached" in refusal(tmp_path, "sftp://dealer@127.0.0.1:9/x", 1)
    assert time.monotonic() - started < 20
    S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "no credentials were found" in refusal(tmp_path, s3.url)


class _Denies(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_PUT = do_GET  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def denying_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Denies)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_who_may_not_look_is_told(
    s3: Site,
    sftp: Site,
    sftp_server: SftpSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with denying_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert "refuses us: access denied" in refusal(tmp_path, s3.url)
        with pytest.raises(ConfigurationError, match="access denied"):
            list(LandingZone(s3.url).list())
    sftp_server.denied.add("/landing")
    assert "refuses us: access denied" in refusal(tmp_path, sftp.url)
    sftp_server.denied.clear()
    assert "refuses us: access denied" in refusal(tmp_path, sftp_server.url(user="stranger"))


def test_a_host_that_nobody_vouched_for_is_refused_unless_configured(
    sftp: Site,
    sftp_server: SftpSite,
    sftp_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (sftp_root / "crm").mkdir()
    known = tmp_path / "user" / ".ssh" / "known_hosts"
    right = known.read_text()
    known.write_text("")
    assert "on a host whose key is not the known one" in refusal(tmp_path, sftp.url)
    wrong = sftp_server.client_key.get_base64()
    known.write_text(right.replace(sftp_server.host_key.get_base64(), wrong))
    assert "on a host whose key is not the known one" in refusal(tmp_path, sftp.url)
    known.write_text("")
    monkeypatch.setitem(conf, "sftp", {"host_key_policy": "auto_add"})
    make_settings(tmp_path, sftp.url)


def test_a_server_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhongtai.landing.sftp._CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        url = f"sftp://dealer@127.0.0.1:{silent.getsockname()[1]}/x"
        assert "cannot be reached" in refusal(tmp_path, url, 1)
        assert time.monotonic() - started < 5


def test_a_server_that_hangs_up_leaves_no_trace_on_the_terminal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as curt:
        url = f"sftp://dealer@127.0.0.1:{curt.getsockname()[1]}/x"

        def hang_up() -> None:
            curt.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        script = (
            "import sys\nfrom zhongtai.errors import ZhongtaiError\n"
            "from zhongtai.landing import LandingZone\n"
            "try: LandingZone(sys.argv[1]).check()\n"
            "except ZhongtaiError as error: print(error.message)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script, url], capture_output=True, text=True, check=True
        )
    assert f"{url} cannot be reached" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "url",
    [
        "sftp://dealer:pa@ss/w:rd@host:22/out",
        "sftp://dealer@corp.com:password@host/out",
        "sftp://dealer:pass  word@host/out",
        "s3://key:pass@bucket/z",
        "https://host/z?X-Amz-Signature=pass",
    ],
)
def test_what_a_library_says_of_a_url_is_told_without_its_secrets(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"client_kwargs": {"aws_secret_access_key": "a deep password"}}
    monkeypatch.setitem(conf, "s3", options)
    quoted = f"{url} {url.partition('dealer:')[2].rpartition('@')[0]} {options}"
    for error in (OSError(quoted), ConnectionError(quoted), ValueError(quoted)):
        said = str(explain(url, error))
        assert "pass" not in said
        assert "ss/w" not in said


def everything_stored(settings: Settings) -> str:
    """All rows of all tables of the product, as text."""
    with connect(settings) as connection:
        tables = connection.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables"
            " where table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 10
        return "\n".join(
            str(connection.execute(f"select t::text from {name} t".encode()).fetchall())
            for (name,) in tables
        )


def test_a_password_in_the_url_opens_the_zone_and_is_told_nowhere(  # noqa: PLR0917 - fixtures
    sftp: Site,
    sftp_server: SftpSite,
    settings: Settings,
    contracts: Contracts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "user" / ".ssh" / "id_ecdsa").unlink()
    caplog.set_level(logging.DEBUG)
    sftp.put("crm/adf_leads/a.xml", b"<adf></adf>")

    def away(change: Callable[[str], str] = str) -> Settings:
        url = change(sftp_server.url(user=f"dealer:{PASSWORD}"))
        return settings.model_copy(update={"landing": url})

    told = [repr(away()), str(pipeline.ingest(away()).as_dict())]
    wrong: list[Callable[[str], str]] = [
        lambda url: f"{url}/nowhere",
        lambda url: url.replace("dealer:", "nobody:"),
        lambda url: url.replace("127.0.0.1:", "127.0.0.1:x"),
        lambda url: url.replace("127.0.0.1:", "127.0.0.1#"),
        lambda url: url.replace("sftp:", "foo:"),
        lambda url: url.replace("sftp:", "gs:"),
        lambda url: url.replace("sftp:", "s3:"),
    ]
    for change in wrong:
        with pytest.raises(ZhongtaiError) as raised:
            pipeline.ingest(away(change))
        told.append(str(raised.value))
        monkeypatch.setattr(sys, "argv", ["zhongtai", "ingest", "--landing", away(change).landing])
        monkeypatch.setenv("ZHONGTAI_LOG_LEVEL", "DEBUG")
        with pytest.raises(SystemExit) as left:
            cli.main()
        # what comes after # is no port, and nobody answers on the usual one
        assert left.value.code == (1 if "#" in away(change).landing else 2)
        with connect(settings, autocommit=True) as connection:
            patient = Patient(away(change), contracts, connection)
            looked_at, (symptom,) = EXAMINATIONS["landing zone"](patient)
        told += [looked_at, str(symptom)]
    output = capsys.readouterr()
    told += [output.out, output.err, caplog.text, everything_stored(settings)]
    assert "crm/adf_leads/a.xml" in told[-1]
    assert "dealer:***@127.0.0.1" in output.err
    assert [text for text in told if PASSWORD in text or "unter2" in text] == []
    for file in settings.home.rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes()
