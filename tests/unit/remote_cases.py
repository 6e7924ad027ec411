"""Real servers on this machine that hold a landing zone: S3 over HTTP, SFTP over SSH."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

BUCKET = "exports"
USER, PASSWORD = "dealer", "hunter2+Pass"


@dataclass
class Site:
    """A landing zone elsewhere, and how sources put files there."""

    url: str
    put: Callable[[str, bytes], object]
    remove: Callable[[str], object]
    held: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def mirror(self, folder: Path) -> None:
        """Hold what a local folder holds; what did not change there is not written again."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                name, now = (
                    str(file.relative_to(folder)),
                    (file.stat().st_mtime_ns, file.read_bytes()),
                )
                if self.held.get(name) != now:
                    self.put(name, now[1])
                    self.held[name] = now


@dataclass
class SftpSite:
    """A folder served by SFTP; `denied` may not be listed, `forged` lists what is not there."""

    root: Path
    host_key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    client_key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    denied: set[str] = field(default_factory=set)
    forged: dict[str, list[paramiko.SFTPAttributes]] = field(default_factory=dict)
    most_sent: int | None = None
    transports: list[paramiko.Transport] = field(default_factory=list)
    port: int = 0

    def url(self, folder: str = "/landing", user: str = USER) -> str:
        return f"sftp://{user}@127.0.0.1:{self.port}{folder}"

    def hang_up(self) -> None:
        """End all connections, as a server does that is started again."""
        for transport in self.transports:
            transport.close()

    def introduce(self, home: Path, *, with_key: bool = True, port: int = 0) -> None:
        """Make the host known below a home folder, and give it a key to come in."""
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        key = f"{self.host_key.get_name()} {self.host_key.get_base64()}"
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port or self.port} {key}\n")
        if with_key:
            self.client_key.write_private_key_file(str(folder / "id_ecdsa"))


def _describe(entry: "os.DirEntry[str]") -> paramiko.SFTPAttributes:
    # the bytes of the name, as they are on the disk
    found = entry.stat(follow_symlinks=False)
    return paramiko.SFTPAttributes.from_stat(found, os.fsencode(entry.name))


class _Login(paramiko.ServerInterface):
    def __init__(self, site: SftpSite) -> None:
        self._site = site

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == USER and key == self._site.client_key
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's
        return "password,publickey"


class _Handle(paramiko.SFTPHandle):
    site: SftpSite

    def read(self, offset: int, length: int) -> object:
        return super().read(offset, min(length, self.site.most_sent or length))


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: object, site: SftpSite) -> None:  # noqa: ARG002 - paramiko's
        self._site = site

    def _real(self, path: str) -> str:
        return str(self._site.root) + self.canonicalize(path)

    def list_folder(self, path: str) -> object:
        if path in self._site.denied:
            return paramiko.SFTP_PERMISSION_DENIED
        try:
            found = [_describe(entry) for entry in os.scandir(self._real(path))]
            return [*found, *self._site.forged.get(path, [])]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def _stat(self, path: str, *, follow: bool) -> object:
        try:
            found = Path(self._real(path)).stat(follow_symlinks=follow)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTPAttributes.from_stat(found)

    def stat(self, path: str) -> object:
        return self._stat(path, follow=True)

    def lstat(self, path: str) -> object:
        return self._stat(path, follow=False)

    def open(self, path: str, flags: int, attr: object) -> object:  # noqa: ARG002 - paramiko's
        handle = _Handle(flags)
        handle.site = self._site
        try:
            handle.readfile = open(self._real(path), "rb")  # noqa: SIM115, PTH123 - the handle closes it
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return handle

    def remove(self, path: str) -> int:
        try:
            os.unlink(self._real(path))  # noqa: PTH108 - as bytes of any name
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno))
        return int(paramiko.SFTP_OK)


@contextmanager
def serve_sftp(root: Path) -> Iterator[SftpSite]:
    """An SFTP server on a port of its own, until the block ends."""
    site = SftpSite(root)
    listening = socket.create_server(("127.0.0.1", 0))
    site.port = listening.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(site.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, site)
            site.transports.append(transport)
            threading.Thread(target=greet, args=(transport,), daemon=True).start()

    def greet(transport: paramiko.Transport) -> None:
        try:
            transport.start_server(server=_Login(site))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield site
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        site.hang_up()


@dataclass
class Line:
    """A way to a server of this machine; connections end after so many bytes of its answers."""

    target: int
    port: int = 0
    cut_after: int | None = None
    cuts: int = 0


@contextmanager
def open_line(target: int) -> Iterator[Line]:
    """A line to a port, on a port of its own, until the block ends."""
    line = Line(target)
    listening = socket.create_server(("127.0.0.1", 0))
    line.port = listening.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", line.target))
            threading.Thread(target=pump, args=(near, far), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, True), daemon=True).start()

    def pump(from_: socket.socket, to: socket.socket, is_answer: bool = False) -> None:
        sent = 0
        try:
            while data := from_.recv(1 << 14):
                sent += len(data)
                if is_answer and line.cut_after is not None and sent > line.cut_after:
                    line.cuts += 1
                    break
                to.sendall(data)
        except OSError:
            pass
        for one in (from_, to):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield line
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
