"""Fixtures of several test files: servers with a landing zone, each started once for a file."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from remote_cases import SftpSite, Site

_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SftpSite]":
    from remote_cases import serve_sftp

    with serve_sftp(tmp_path_factory.mktemp("sftp")) as site:
        yield site


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> "Site":
    import boto3
    from remote_cases import BUCKET, Site
    from s3fs import S3FileSystem

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "a secret of S3",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    prefix = f"drop {next(_numbers)}"
    return Site(
        f"s3://{BUCKET}/{prefix}",
        lambda name, content: client.put_object(
            Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content
        ),
        lambda name: client.delete_object(Bucket=BUCKET, Key=f"{prefix}/{name}"),
    )


@pytest.fixture
def sftp_root(sftp_server: "SftpSite") -> Path:
    """The folder that is served as /landing, empty."""
    root = sftp_server.root / "landing"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    return root


@pytest.fixture
def sftp(
    sftp_server: "SftpSite", sftp_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "Site":
    from remote_cases import Site

    user_home = tmp_path / "user"
    user_home.mkdir()
    monkeypatch.setenv("HOME", str(user_home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    sftp_server.introduce(user_home)

    def put(name: str, content: bytes) -> None:
        file = sftp_root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    return Site(sftp_server.url(), put, lambda name: (sftp_root / name).unlink())
