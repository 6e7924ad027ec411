"""Listing and opening the landing zone, on a local disk or any other fsspec filesystem."""

import errno
import hashlib
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fsspec.implementations.local import LocalFileSystem

from zhongtai.addresses import masked
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.landing.remote import BLOCK, Refused, is_local, open_remote
from zhongtai.printable import printable_path

if TYPE_CHECKING:
    from zhongtai.landing.remote import RemoteFiles

# The ledger's index keeps rows of 2,700 bytes, of which the path is one column.
_LONGEST_LABEL = 2000
# Times that both Python and PostgreSQL can hold: years 1900 to 9000.
_EARLIEST, _LATEST = -2_208_988_800, 221_845_392_000
_BEGINNING = datetime.fromtimestamp(0, UTC)
_NO_NAMES = ("", ".", "..")
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Names that somebody is still writing, or that belong to a program.
_IN_FLIGHT = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", "~")


@dataclass(frozen=True)
class LandedFile:
    """A file below the landing zone; `label` is its printable path, `location` opens it."""

    label: str
    location: str
    bytes: int
    modified_at: datetime

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.label.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path without its last part."""
        return self.label.rpartition("/")[0]


@dataclass(frozen=True)
class Stray:
    """Something in the landing zone that is not taken in (yet), why, and what to do about it."""

    file: str
    reason: str
    advice: str = ""


class LandingZone:
    """A landing zone on any filesystem; `url` is an fsspec URL or a local path."""

    def __init__(self, url: str) -> None:
        self.is_local = is_local(url)
        self._remote: RemoteFiles | None = None
        if self.is_local:
            self._root = str(Path(LocalFileSystem._strip_protocol(url)).resolve())
        else:
            self._remote = open_remote(url)
            self._root = self._remote.root

    @property
    def shows_growing(self) -> bool:
        """Whether files may be seen while they are written, with times of another clock."""
        return self._remote is not None and self._remote.shows_growing

    def check(self) -> bool:
        """Whether it is a zone that holds something, as far as that is asked of a local folder.

        Raises ConfigurationError for one that cannot be used.
        """
        if self._remote:
            return self._remote.check()
        top = self._local_top()
        if not top.is_dir():
            raise ConfigurationError(
                f"the landing folder {masked(str(top))} does not exist",
                hint="create it, or give the right one with --landing or ZHONGTAI_LANDING",
            )
        if not os.access(top, os.R_OK | os.X_OK):
            raise ConfigurationError(
                f"the landing folder {masked(str(top))} may not be listed",
                hint="let the user of zhongtai list the folder",
            )
        return True

    def list(self, source: str | None = None) -> Iterator[LandedFile | Stray]:
        """Every file that is not in flight, below one source or the whole zone."""
        if self._remote:
            yield from self._find(self._remote, f"{self._root}/{source}" if source else self._root)
        else:
            top = Path(self._local_top(), source or "")
            if top.is_symlink() and source:
                yield Stray(source, "is a linked folder")
            elif top.is_dir():
                yield from self._walk(str(top))

    def find_again(self, label: str) -> LandedFile | None:
        """The file that was recorded under a path, as it is now; None where it is gone."""
        if "\\" in label:
            # escaped: what it is called on the disk or server, only the listing tells
            listed = (f for f in self.list(label.partition("/")[0]) if isinstance(f, LandedFile))
            return next((file for file in listed if file.label == label), None)
        return self.stat(LandedFile(label, f"{self._root}/{label}", 0, _BEGINNING))

    def stat(self, file: LandedFile) -> LandedFile | None:
        """The file as it is now; None where it is gone."""
        try:
            if self._remote:
                return _elsewhere(file.label, self._remote.info(file.location))
            self._refuse_swapped(file.location)
            return _landed(file.label, file.location, Path(file.location).stat())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def identity(self, file: LandedFile) -> tuple[int, ...]:
        """What tells a local file from one that took its place, even of the same size and time.

        Empty where it is gone, and for remote files, which are copied before they are read.
        """
        if not self.is_local:
            return ()
        try:
            found = Path(file.location).stat()
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def open(self, file: LandedFile) -> BinaryIO:
        """The file's bytes, to read from the start.

        Raises FileNotFoundError where something else has taken its place since it was listed.
        """
        if self._remote:
            # manifests are small, and one connection serves all
            spool = tempfile.SpooledTemporaryFile(BLOCK)  # noqa: SIM115 - the caller closes it
            for block in self.read_blocks(file):
                spool.write(block)
            spool.seek(0)
            return cast("BinaryIO", spool)
        real = Path(file.location).resolve()
        if not real.is_relative_to(self._root):
            raise FileNotFoundError(f"{file.label} is a link out of the landing zone by now")
        # a pipe must neither block us nor be read
        handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(f"{file.label} is no file any more")
        return os.fdopen(handle, "rb")

    def read_blocks(self, file: LandedFile) -> Iterator[bytes]:
        """The file's bytes, a block at a time. Raises what `open` raises."""
        if self._remote:
            left = file.bytes
            for block in self._remote.blocks(file.location):
                left -= len(block)
                if left < 0:  # who sends without end must not fill our disk
                    raise FileNotFoundError(f"{file.label} grew while it was read")
                yield block
            return
        with self.open(file) as opened:
            while block := opened.read(BLOCK):
                yield block

    def copy(self, file: LandedFile, target: Path) -> str:
        """Copy the file's bytes; returns their sha256.

        Raises what `open` raises, and ZhongtaiError where the disk has no room for them.
        """
        # a full disk would stop more than this copy
        if file.bytes > shutil.disk_usage(target.parent).free:
            raise _no_room(file)
        digest = hashlib.sha256()
        try:
            with target.open("wb") as written:
                for block in self.read_blocks(file):
                    digest.update(block)
                    written.write(block)
        except OSError as error:
            if error.errno in _FULL:
                raise _no_room(file) from error
            raise
        return digest.hexdigest()

    def remove(self, file: LandedFile) -> None:
        """Remove the file and its done marker, if it has one.

        Raises ZhongtaiError where the zone is not ours to remove from.
        """
        self.remove_marker(file)
        self._remove(file.location)

    def remove_marker(self, file: LandedFile) -> None:
        """Remove the done marker of a file, if it has one.

        It goes before its file: one that stays alone would call the next file of that name complete
        while it is still being written.
        """
        self._remove(f"{file.location}.done")

    def _remove(self, location: str) -> None:
        refused = False
        try:
            with suppress(FileNotFoundError):
                if self._remote:
                    self._remote.remove(location)
                else:
                    self._refuse_swapped(location)
                    Path(location).unlink()
        except PermissionError:
            refused = True
        if refused:
            raise ZhongtaiError(
                f"{self._label(location)} may not be removed from the landing zone",
                hint="give zhongtai the right to delete there, or set ZHONGTAI_ARCHIVE=false",
            )

    def _refuse_swapped(self, location: str) -> None:
        """Raise FileNotFoundError where a folder on the way became a link after it was listed.

        Who may write to the landing zone must not choose what we move and remove elsewhere.
        """
        folder = Path(location).parent
        if folder.resolve() != folder:
            raise FileNotFoundError(f"{self._label(location)} lies behind a link by now")

    def _local_top(self) -> Path:
        top = Path(self._root)
        if top.exists() and not top.is_dir():
            raise ConfigurationError(
                f"the landing zone {masked(self._root)} is a file, not a folder",
                hint="give a folder with --landing or ZHONGTAI_LANDING",
            )
        return top

    def _walk(self, top: str) -> Iterator[LandedFile | Stray]:
        # no recursion: folders may be nested more deeply than functions
        pending = [self._scan(top)]
        while pending:
            entry = next(pending[-1], None)
            if entry is None:
                pending.pop()
            elif isinstance(entry, Stray):
                yield entry
            elif _is_in_flight(entry.name):
                continue
            elif entry.is_dir(follow_symlinks=False):
                pending.append(self._scan(entry.path))
            elif found := self._entry(entry):
                yield found

    def _scan(self, folder: str) -> Iterator["os.DirEntry[str] | Stray"]:
        try:
            yield from sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"cannot be listed: {error.strerror}"
            yield Stray(self._label(folder), reason, "let the user of zhongtai list the folder")

    def _entry(self, entry: "os.DirEntry[str]") -> LandedFile | Stray | None:
        label = self._label(entry.path)
        if len(label.encode()) > _LONGEST_LABEL:
            return _too_long(label)
        try:
            if reason := self._refused_link(entry):
                return Stray(label, reason, "deliver the file or folder itself")
            if not entry.is_file():
                return Stray(label, "is neither a file nor a folder", "take it away")
            return _landed(label, entry.path, entry.stat())
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is a link to itself"
            return Stray(label, f"cannot be read: {why}", "make it readable, or take it away")

    def _refused_link(self, entry: "os.DirEntry[str]") -> str:
        """Why a link is not followed; empty for what is none, and for links to other files here."""
        if not entry.is_symlink():
            return ""
        target = Path(entry.path).resolve()
        if not target.is_relative_to(self._root):
            return "is a link that leads out of the landing zone"
        return "is a linked folder" if target.is_dir() else ""

    def _find(self, remote: "RemoteFiles", folder: str) -> Iterator[LandedFile | Stray]:
        for found in remote.find(folder):
            location = found.location if isinstance(found, Refused) else found["name"]
            label = self._label(location)
            parts = location[len(self._root) :].removeprefix("/").split("/")
            if any(part in _NO_NAMES for part in parts):
                yield Stray(label, "has a key that is no plain path", "upload it under another key")
            elif any(_is_in_flight(part) for part in parts):
                continue
            elif len(label.encode()) > _LONGEST_LABEL:
                yield _too_long(label)
            elif isinstance(found, Refused):
                yield Stray(label, found.reason, found.advice)
            else:
                yield _elsewhere(label, found)

    def _label(self, location: str) -> str:
        # names that are no UTF-8 (GBK disks) must still be storable, all of them fit for a log
        return printable_path(location[len(self._root) :].strip("/"))


def same_name(name: str) -> str:
    """Names as they are compared: composed, since some systems send decomposed characters."""
    return unicodedata.normalize("NFC", name)


def _is_in_flight(name: str) -> bool:
    if name == ".manifest.json":  # a manifest's name may begin with nothing
        return False
    return name.startswith((".", "~$")) or name.lower().endswith(_IN_FLIGHT)


def _landed(label: str, location: str, found: os.stat_result) -> LandedFile:
    # whole microseconds: what PostgreSQL stores must compare equal to what is read again
    seconds, rest = divmod(found.st_mtime_ns // 1000, 1_000_000)
    seconds = min(max(seconds, _EARLIEST), _LATEST)
    modified_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return LandedFile(label, location, found.st_size, modified_at)


def _no_room(file: LandedFile) -> ZhongtaiError:
    return ZhongtaiError(
        f"{file.label} has {file.bytes} bytes: the disk of the home has no room for a copy",
        hint="make room there, then run again; or take the file out of the landing zone",
    )


def _too_long(label: str) -> Stray:
    reason = f"has a path of more than {_LONGEST_LABEL} bytes"
    return Stray(f"{label[:200]}…", reason, "shorten the names of its folders")


def _elsewhere(label: str, info: dict[str, Any]) -> LandedFile:
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        modified = info.get(key)
        if isinstance(modified, int | float):
            modified = datetime.fromtimestamp(modified, UTC)
        if isinstance(modified, datetime):
            if modified.tzinfo is None:
                modified = modified.replace(tzinfo=UTC)
            if key == "LastModified":
                # some servers tell parts of a second in listings only
                modified = modified.replace(microsecond=0)
            return LandedFile(label, info["name"], int(info["size"]), modified.astimezone(UTC))
    return LandedFile(label, info["name"], int(info["size"]), _BEGINNING)
