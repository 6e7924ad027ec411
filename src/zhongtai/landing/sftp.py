"""A landing zone on an SFTP server: known hosts only, one connection, waits that end."""

import logging
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from zhongtai.addresses import masked
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.landing.addresses import UnreachableError, explain, explaining, reading
from zhongtai.landing.pipelined import Pipelined
from zhongtai.landing.remote import BLOCK, Refused

T = TypeVar("T")

# Traces of refused connections go where logs go, not to the terminal: `explain` tells them.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_HOSTS_OF_MACHINE = Path("/etc/ssh/ssh_known_hosts")
_CONNECT_SECONDS = 10.0
_SILENCE_SECONDS = 60.0
_ALIVE_SECONDS = 30
_LONGEST_PATH = 4096
# So many files need not each wait for a host that has just not answered.
_AGAIN_SECONDS = 10.0


class UnknownHostKey(paramiko.SSHException):  # type: ignore[misc]  # paramiko has no types
    """A host that nobody has vouched for."""


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # no types
    def missing_host_key(self, client: object, hostname: str, key: object) -> None:  # noqa: ARG002 - paramiko's signature
        raise UnknownHostKey(hostname)


class _KnownHosts(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's SFTP, its options and configuration; a host must be in known_hosts.

    fsspec would trust any host, and wait for one that is silent forever.
    """

    def __init__(self, host: str, **options: Any) -> None:
        super().__init__(host, **{"host_key_policy": _RefuseUnknown(), **options})

    def _connect(self) -> None:
        limits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), _CONNECT_SECONDS)
        options = {**limits, "channel_timeout": _CONNECT_SECONDS, **self.ssh_kwargs}
        if "port" in options:
            options["port"] = int(options["port"])
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        if _HOSTS_OF_MACHINE.exists():
            self.client.load_system_host_keys(str(_HOSTS_OF_MACHINE))
        self.client.set_missing_host_key_policy(self.host_key_policy)
        try:
            self.client.connect(self.host, **options)
            self.client.get_transport().set_keepalive(_ALIVE_SECONDS)
            self.ftp = self.client.open_sftp()
        except BaseException:
            self.client.close()
            raise
        self.ftp.get_channel().settimeout(_SILENCE_SECONDS)


class SftpFiles:
    """See `remote.RemoteFiles`. Paramiko's client serves one thread at a time."""

    shows_growing = True

    def __init__(self, url: str) -> None:
        self._url = url
        with explaining(url):
            options = _KnownHosts._get_kwargs_from_urls(url)
            self.root = str(_KnownHosts._strip_protocol(url)).rstrip("/")
        options.pop("url_fragment", None)  # in the path already
        if "url_query" in options or not options.get("host"):
            raise ConfigurationError(
                f"the landing zone {masked(url)} is no URL that can be opened",
                hint="for instance sftp://user@host:22/folder",
            )
        self._options = options
        self._lock = threading.RLock()
        self._files: _KnownHosts | None = None
        self._failed: tuple[float, ZhongtaiError] | None = None

    def check(self) -> bool:
        """See RemoteFiles."""
        self._refuse_wrong_root()
        return next(self.find(self.root), None) is not None

    def find(self, folder: str) -> Iterator[dict[str, Any] | Refused]:
        """See RemoteFiles. No recursion: folders may be nested more deeply than functions."""
        if folder != self.root and self._is_link(folder):
            yield Refused(folder, "is a link", "deliver the file or folder itself")
            return
        pending = [folder]
        while pending:
            place = pending.pop()
            listed = self._list(place)
            if listed is None:
                if place == folder:
                    self._refuse_wrong_root()
                continue
            if isinstance(listed, Refused):
                if place == self.root:
                    raise explain(self._url, PermissionError())
                yield listed
                continue
            folders = []
            for entry in sorted(listed, key=lambda one: str(one.filename)):
                location = f"{place}/{entry.filename}"
                if "/" in str(entry.filename) or len(location) > _LONGEST_PATH:
                    # no server means that; one that lies must not lead us elsewhere, or on for ever
                    yield Refused(location, "has a name that is no plain one", "ask its owner")
                elif entry.st_mode is not None and stat.S_ISDIR(entry.st_mode):
                    folders.append(location)
                else:
                    yield _describe(location, entry)
            pending += reversed(folders)

    def info(self, location: str) -> dict[str, Any]:
        """See RemoteFiles."""
        found = _describe(location, self._ask(lambda ftp: ftp.lstat(location)))
        if isinstance(found, Refused):
            raise FileNotFoundError(location)
        return found

    def blocks(self, location: str) -> Iterator[bytes]:
        """See RemoteFiles."""
        with self._lock:
            with reading(self._url, location):
                size = self.info(location)["size"]
            with reading(self._url, location), self._session() as ftp:
                opened = ftp.open(location, "rb")
                pipelined = Pipelined(ftp, opened, size)
            try:
                while True:
                    with reading(self._url, location), self._session():
                        block = pipelined.read(BLOCK)
                    if not block:
                        return
                    yield block
            finally:
                opened.close()

    def remove(self, location: str) -> None:
        """See RemoteFiles."""
        with self._session() as ftp:
            ftp.remove(location)

    def _list(self, folder: str) -> "list[paramiko.SFTPAttributes] | Refused | None":
        """The entries of a folder; None where it is gone."""
        try:
            return self._ask(lambda ftp: list(ftp.listdir_attr(folder or "/")))
        except FileNotFoundError:
            return None
        except PermissionError:
            advice = "let the user of zhongtai list the folder"
            return Refused(folder, "cannot be listed: permission denied", advice)
        except (ConfigurationError, UnreachableError):
            raise
        except ZhongtaiError:
            # the server answers, but not to this
            return Refused(folder, "cannot be listed: its server failed", "ask its owner")
        except UnicodeDecodeError:
            self._drop()  # the listing was left in its middle
            reason = "cannot be listed: it holds a name that is no UTF-8"
            return Refused(folder, reason, "rename it on the server; the rest waits for it")

    def _is_link(self, folder: str) -> bool:
        try:
            mode = self._ask(lambda ftp: ftp.lstat(folder).st_mode)
        except (FileNotFoundError, PermissionError):
            return False  # the listing tells
        return mode is not None and stat.S_ISLNK(mode)

    def _refuse_wrong_root(self) -> None:
        try:
            mode = self._ask(lambda ftp: ftp.stat(self.root or "/").st_mode)
        except (FileNotFoundError, PermissionError) as error:
            raise explain(self._url, error) from None
        if mode is not None and not stat.S_ISDIR(mode):
            raise ConfigurationError(
                f"the landing zone {masked(self._url)} is a file, not a folder",
                hint="give the folder that the exports lie below",
            )

    def _ask(self, question: "Callable[[paramiko.SFTPClient], T]") -> T:
        """The answer; asked again where the server hung up since the last question."""
        with self._lock:
            is_reused = self._files is not None
            try:
                with self._session() as ftp:
                    return question(ftp)
            except ZhongtaiError:
                if not is_reused:
                    raise
            with self._session() as ftp:
                return question(ftp)

    @contextmanager
    def _session(self) -> "Iterator[paramiko.SFTPClient]":
        """The connection, for this thread alone; made anew where it was lost."""
        with self._lock:
            try:
                with explaining(self._url):
                    yield self._connected().ftp
            except ZhongtaiError:
                self._drop()
                raise

    def _connected(self) -> "_KnownHosts":
        if self._files is not None:
            transport = self._files.client.get_transport()
            if transport is not None and transport.is_active():
                return self._files
            self._drop()
        if self._failed and time.monotonic() - self._failed[0] < _AGAIN_SECONDS:
            raise self._failed[1]
        self._failed = None
        try:
            self._files = _KnownHosts(**self._options, skip_instance_cache=True)
        except Exception as error:
            self._failed = time.monotonic(), explain(self._url, error)
            raise self._failed[1] from None
        return self._files

    def _drop(self) -> None:
        if self._files is not None:
            self._files.client.close()
        self._files = None


def _describe(location: str, entry: paramiko.SFTPAttributes) -> dict[str, Any] | Refused:
    """One entry as fsspec's `info` tells it; links and pipes are not followed or read."""
    mode, size, changed = entry.st_mode, entry.st_size, entry.st_mtime
    if mode is None or size is None or changed is None:
        return Refused(location, "has no kind, size or time on its server", "ask its owner")
    if stat.S_ISLNK(mode):
        return Refused(location, "is a link", "deliver the file or folder itself")
    if not stat.S_ISREG(mode):
        return Refused(location, "is neither a file nor a folder", "take it away")
    return {"name": location, "size": size, "mtime": datetime.fromtimestamp(changed, UTC)}
