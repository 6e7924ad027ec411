"""Files of a landing zone elsewhere: what any fsspec filesystem lists, tells and gives."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import fsspec
from fsspec.core import url_to_fs
from fsspec.utils import get_protocol

from zhongtai.addresses import hush_libraries, masked
from zhongtai.errors import ConfigurationError
from zhongtai.landing.addresses import explain, explaining, reading, unknown_protocol

BLOCK = 8 << 20
_USER_INFO_OR_QUERY = re.compile(r"://[^/]*@|\?.*=")
_SSH_WITHIN = re.compile("::(?:sftp|ssh):", re.IGNORECASE)
BUCKETS = ("s3", "s3a", "gs", "gcs")
# Five tries of five seconds keep people waiting for a host that is not there.
_S3_RETRIES = {"config_kwargs": {"retries": {"max_attempts": 2}}}


@dataclass(frozen=True)
class Refused:
    """Something that is listed and not read: why, and what to do about it."""

    location: str
    reason: str
    advice: str


class RemoteFiles(Protocol):
    """A file system elsewhere. May be used by several threads at once.

    What is wrong with the zone as a whole is raised as ZhongtaiError.
    """

    root: str
    # whether a file may be seen while it is written, with times of another clock than ours
    shows_growing: bool

    def check(self) -> bool:
        """Whether anything is there.

        Raises ConfigurationError for a zone that cannot be used, UnreachableError for one that does
        not answer.
        """

    def find(self, folder: str) -> Iterator[dict[str, Any] | Refused]:
        """What is below a folder, as fsspec's `info` tells of each file, by name."""

    def info(self, location: str) -> dict[str, Any]:
        """What a file is now. Raises FileNotFoundError."""

    def blocks(self, location: str) -> Iterator[bytes]:
        """What a file holds. Raises FileNotFoundError where it is gone or replaced meanwhile."""

    def remove(self, location: str) -> None:
        """Remove a file. Raises FileNotFoundError, or nothing, where it is gone."""


def is_local(url: str) -> bool:
    """Whether a landing zone is a folder of this machine."""
    return bool(get_protocol(url) in {"file", "local"})


def open_remote(url: str) -> RemoteFiles:
    """The files of a landing zone elsewhere; a server is asked when it is first needed.

    Raises ConfigurationError for a URL that no library opens.
    """
    if get_protocol(url) in {"sftp", "ssh"}:
        from zhongtai.landing.sftp import SftpFiles

        return SftpFiles(url)
    if _SSH_WITHIN.search(url):
        # fsspec's own SFTP trusts any host
        raise ConfigurationError(
            f"the landing zone {masked(url)} is no URL that can be opened",
            hint="give the sftp:// URL alone",
        )
    return FsspecFiles(url)


class FsspecFiles:
    """Any fsspec filesystem, object stores before all."""

    shows_growing = False

    def __init__(self, url: str) -> None:
        protocol = get_protocol(url)
        if protocol not in fsspec.available_protocols():
            raise unknown_protocol(url)
        self._url = url
        hush_libraries()
        configured = fsspec.config.conf.get(protocol, {})
        is_plain_s3 = protocol in {"s3", "s3a"} and "config_kwargs" not in configured
        if protocol in BUCKETS and _USER_INFO_OR_QUERY.search(url):
            # libraries would take it for a part of the name, and log it
            raise ConfigurationError(
                f"the landing zone {masked(url)} has a key or a query in its URL",
                hint="leave it out: credentials come from AWS's usual places or the configuration"
                " of fsspec",
            )
        with explaining(url):
            self._files, root = url_to_fs(url, **(_S3_RETRIES if is_plain_s3 else {}))
        self.root = str(root).rstrip("/")
        if protocol in BUCKETS and not self.root:
            raise ConfigurationError(
                f"the landing zone {masked(url)} names no bucket",
                hint=f"for instance {protocol}://bucket/folder",
            )

    def check(self) -> bool:
        """Look at the first level only; an object store has no empty folders."""
        try:
            self._files.invalidate_cache()
            with explaining(self._url):
                found = self._files.ls(self.root, detail=True)
        except PermissionError as error:
            raise explain(self._url, error) from None
        except FileNotFoundError:
            # nothing below it, or not even a bucket
            return next(self.find(self.root), None) is not None
        else:
            if [one["name"].rstrip("/") for one in found if one["type"] == "file"] == [self.root]:
                _refuse_file(self._url)
            return bool(found)

    def find(self, folder: str) -> Iterator[dict[str, Any] | Refused]:
        """See RemoteFiles."""
        self._files.invalidate_cache()
        try:
            with explaining(self._url):
                found = self._files.find(folder, detail=True)
        except (FileNotFoundError, PermissionError) as error:
            raise explain(self._url, error) from None
        if set(found) == {self.root} == {folder}:
            _refuse_file(self._url)
        for location, info in sorted(found.items()):
            # consoles make folders visible by an empty object
            if not (location.endswith("/") and not info["size"]):
                yield {**info, "name": location}

    def info(self, location: str) -> dict[str, Any]:
        """See RemoteFiles."""
        self._files.invalidate_cache()
        with explaining(self._url):
            found: dict[str, Any] = self._files.info(location)
        if found["type"] != "file":
            raise FileNotFoundError(location)
        return found

    def blocks(self, location: str) -> Iterator[bytes]:
        """See RemoteFiles."""
        with reading(self._url, location), _replaced_is_gone(location):
            opened = self._files.open(location, "rb", cache_type="readahead", block_size=BLOCK)
        with opened:
            while True:
                with reading(self._url, location), _replaced_is_gone(location):
                    block = opened.read(BLOCK)
                if not block:
                    return
                yield block

    def remove(self, location: str) -> None:
        """See RemoteFiles."""
        with explaining(self._url):
            self._files.rm_file(location)


@contextmanager
def _replaced_is_gone(location: str) -> Iterator[None]:
    """An object store refuses to go on with an object that was replaced: it is the other's turn."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise FileNotFoundError(location) from error
        raise


def _refuse_file(url: str) -> None:
    raise ConfigurationError(
        f"the landing zone {masked(url)} is a file, not a folder",
        hint="give the folder or prefix that the exports lie below",
    )
