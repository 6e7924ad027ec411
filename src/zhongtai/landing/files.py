"""Listing and opening the landing zone, on a local disk or any other fsspec filesystem."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from zhongtai.printable import printable_path

# The ledger's index keeps rows of 2,700 bytes, of which the path is one column.
_LONGEST_LABEL = 2000
# Times that both Python and PostgreSQL can hold: years 1900 to 9000.
_EARLIEST, _LATEST = -2_208_988_800, 221_845_392_000
_NO_NAMES = ("", ".", "..")
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
        self._files, root = url_to_fs(url)
        self.is_local = isinstance(self._files, LocalFileSystem)
        self._root = str(Path(root).resolve()) if self.is_local else str(root).rstrip("/")

    def list(self, source: str | None = None) -> Iterator[LandedFile | Stray]:
        """Every file that is not in flight, below one source or the whole zone."""
        if self.is_local:
            top = Path(self._root, source) if source else Path(self._root)
            if top.is_symlink() and source:
                yield Stray(source, "is a linked folder")
            elif top.is_dir():
                yield from self._walk(str(top))
        else:
            yield from self._find(f"{self._root}/{source}" if source else self._root)

    def stat(self, file: LandedFile) -> LandedFile | None:
        """The file as it is now; None where it is gone."""
        try:
            if self.is_local:
                return _landed(file.label, file.location, Path(file.location).stat())
            self._files.invalidate_cache()
            return _remote(file.label, self._files.info(file.location))
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
        if not self.is_local:
            opened: BinaryIO = self._files.open(file.location, "rb")
            return opened
        real = Path(file.location).resolve()
        if not real.is_relative_to(self._root):
            raise FileNotFoundError(f"{file.label} is a link out of the landing zone by now")
        # a pipe must neither block us nor be read
        handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(f"{file.label} is no file any more")
        return os.fdopen(handle, "rb")

    def remove(self, file: LandedFile) -> None:
        """Remove the file and its done marker, if it has one."""
        self.remove_marker(file)
        if self._files.exists(file.location):
            self._files.rm_file(file.location)

    def remove_marker(self, file: LandedFile) -> None:
        """Remove the done marker of a file, if it has one.

        It goes before its file: one that stays alone would call the next file of that name complete
        while it is still being written.
        """
        marker = f"{file.location}.done"
        if self._files.exists(marker):
            self._files.rm_file(marker)

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
            reason = f"has a path of more than {_LONGEST_LABEL} bytes"
            return Stray(f"{label[:200]}…", reason, "shorten the names of its folders")
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

    def _find(self, folder: str) -> Iterator[LandedFile | Stray]:
        self._files.invalidate_cache()
        if not self._files.exists(folder):
            return
        for location, info in sorted(self._files.find(folder, detail=True).items()):
            label = self._label(location)
            parts = label.split("/")
            if any(part in _NO_NAMES for part in parts):
                yield Stray(label, "has a key that is no plain path", "upload it under another key")
            elif not any(_is_in_flight(part) for part in parts):
                yield _remote(label, {"name": location, **info})

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


def _remote(label: str, info: dict[str, Any]) -> LandedFile:
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        modified = info.get(key)
        if isinstance(modified, int | float):
            modified = datetime.fromtimestamp(modified, UTC)
        if isinstance(modified, datetime):
            if modified.tzinfo is None:
                modified = modified.replace(tzinfo=UTC)
            return LandedFile(label, info["name"], int(info["size"]), modified.astimezone(UTC))
    return LandedFile(label, info["name"], int(info["size"]), datetime.fromtimestamp(0, UTC))
