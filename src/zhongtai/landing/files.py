"""Listing and opening the landing zone, on a local disk or any other fsspec filesystem."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

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
    """Something in the landing zone that no contract covers, and why."""

    file: str
    reason: str


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
        except FileNotFoundError:
            return None

    def open(self, file: LandedFile) -> BinaryIO:
        """The file's bytes, to read from the start."""
        opened: BinaryIO = self._files.open(file.location, "rb")
        return opened

    def remove(self, file: LandedFile) -> None:
        """Remove the file and its done marker, if it has one."""
        for location in (file.location, f"{file.location}.done"):
            if self._files.exists(location):
                self._files.rm_file(location)

    def _walk(self, folder: str) -> Iterator[LandedFile | Stray]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, PermissionError) as error:
            yield Stray(self._label(folder), f"cannot be listed: {error.strerror}")
            return
        for entry in entries:
            if _is_in_flight(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(entry.path)
                continue
            found = self._entry(entry)
            if found:
                yield found

    def _entry(self, entry: "os.DirEntry[str]") -> LandedFile | Stray | None:
        label = self._label(entry.path)
        try:
            if entry.is_symlink():
                target = Path(entry.path).resolve()
                if not target.is_relative_to(self._root):
                    return Stray(label, "is a link that leads out of the landing zone")
                if target.is_dir():
                    return Stray(label, "is a linked folder")
            if not entry.is_file():
                return Stray(label, "is neither a file nor a folder")
            return _landed(label, entry.path, entry.stat())
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as error:  # a link that leads to itself, no permission
            return Stray(label, f"cannot be read: {error.__class__.__name__}")

    def _find(self, folder: str) -> Iterator[LandedFile | Stray]:
        self._files.invalidate_cache()
        if not self._files.exists(folder):
            return
        for location, info in sorted(self._files.find(folder, detail=True).items()):
            label = self._label(location)
            if not any(_is_in_flight(part) for part in label.split("/")):
                yield _remote(label, {"name": location, **info})

    def _label(self, location: str) -> str:
        path = location[len(self._root) :].strip("/")
        # names that are no UTF-8 (GBK disks) must still be printable and storable
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def same_name(name: str) -> str:
    """Names as they are compared: composed, since some systems send decomposed characters."""
    return unicodedata.normalize("NFC", name)


def _is_in_flight(name: str) -> bool:
    if name == ".manifest.json":  # a manifest's name may begin with nothing
        return False
    return name.startswith((".", "~$")) or name.lower().endswith(_IN_FLIGHT)


def _landed(label: str, location: str, stat: os.stat_result) -> LandedFile:
    # whole microseconds: what PostgreSQL stores must compare equal to what is read again
    seconds, rest = divmod(stat.st_mtime_ns // 1000, 1_000_000)
    modified_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return LandedFile(label, location, stat.st_size, modified_at)


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
