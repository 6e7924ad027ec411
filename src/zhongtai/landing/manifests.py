"""Manifests: what a source says it exported."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from zhongtai.landing.files import LandedFile, LandingZone, Stray, same_name
from zhongtai.printable import printable, printable_path

SUFFIX = ".manifest.json"
_LARGEST = 64 * 2**20
_BITS = 63
_SHA256 = re.compile("[0-9a-f]{64}")
# Beyond these a time is a mistake, and some clocks cannot hold it.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class ManifestEntry:
    """One file as its manifest describes it; a missing number is not checked."""

    name: str
    bytes: int | None
    sha256: str | None
    rows: int | None
    exported_at: datetime
    manifest: str

    @property
    def marker(self) -> str:
        """What a correction of this entry would change."""
        return f"manifest:{self.bytes}:{self.sha256}:{self.rows}"

    @classmethod
    def of_marker(cls, marker: str, name: str, exported_at: datetime) -> "ManifestEntry | None":
        """The entry that a marker was made from; None where it was no manifest's."""
        kind, *values = marker.split(":")
        if kind != "manifest" or len(values) != 3:
            return None
        size, sha256, rows = (None if value == "None" else value for value in values)
        return cls(name, _number(size), sha256, _number(rows), exported_at, "its manifest")

    def differences(self, *, size: int, sha256: str) -> tuple[str, ...]:
        """How a file differs from its entry, in words; empty where it does not."""
        found = []
        if self.bytes is not None and self.bytes != size:
            found.append(f"{size} bytes instead of {self.bytes}")
        if self.sha256 is not None and self.sha256 != sha256:
            wanted = f"{self.sha256[:12]}…" if len(self.sha256) == len(sha256) else self.sha256
            found.append(f"sha256 {sha256[:12]}… instead of {wanted}")
        return tuple(found)


class _Unfit(Exception):  # noqa: N818 - an outcome, told in words
    """What is wrong with a manifest."""


def read_manifest(zone: LandingZone, file: LandedFile) -> tuple[ManifestEntry, ...] | Stray:
    """The entries of one manifest, or what is wrong with it (it may still be written)."""
    try:
        return _entries(_content(zone, file), file)
    except FileNotFoundError:
        return ()
    except OSError as error:
        reason = f"is a manifest that cannot be read: {error.strerror or type(error).__name__}"
        return Stray(file.label, reason, "let the user of zhongtai read it")
    except _Unfit as unfit:
        reason = f"is no manifest that can be followed: {unfit}"
        return Stray(file.label, reason, "write it anew; its files wait for it")


def _content(zone: LandingZone, file: LandedFile) -> dict[str, Any]:
    if file.bytes > _LARGEST:
        raise _Unfit(f"it has {file.bytes} bytes, up to {_LARGEST} are read")
    with zone.open(file) as opened:
        data = opened.read(_LARGEST + 1)
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_constant=str)
    except UnicodeDecodeError as error:
        raise _Unfit(f"byte {error.start} is no UTF-8") from error
    except json.JSONDecodeError as error:
        raise _Unfit(f"invalid JSON in line {error.lineno}, column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise _Unfit("invalid JSON: a number too long, or nested too deeply") from error
    if not isinstance(content, dict) or not isinstance(content.get("files"), list):
        raise _Unfit("expected an object with a list 'files'")
    return content


def _entries(content: dict[str, Any], file: LandedFile) -> tuple[ManifestEntry, ...]:
    source, entity = file.label.split("/")[:2]
    named = content.get("source", source), content.get("entity", entity)
    if named != (source, entity):
        raise _Unfit(f"it is for {printable('/'.join(map(str, named)))}, not {source}/{entity}")
    exported_at = _instant(content.get("exported_at")) or file.modified_at
    return tuple(
        _entry(entry, place, exported_at, file.label)
        for place, entry in enumerate(content["files"], 1)
    )


def _entry(entry: Any, place: int, exported_at: datetime, manifest: str) -> ManifestEntry:
    """One of `files`, the first is 1."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise _Unfit(f"file {place} has no 'name'")
    name = same_name(printable_path(entry["name"]))
    numbers = {}
    for field in ("bytes", "rows"):
        try:
            numbers[field] = _number(entry.get(field))
        except (ValueError, OverflowError) as error:
            raise _Unfit(f"'{field}' of file {place} is no whole number") from error
    sha256 = str(entry["sha256"]).strip().lower() if entry.get("sha256") else None
    if sha256 and not _SHA256.fullmatch(sha256):
        # it contradicts every file; colons separate the parts of a marker
        sha256 = printable(sha256, 64).replace(":", ".")
    return ManifestEntry(name, numbers["bytes"], sha256, numbers["rows"], exported_at, manifest)


def newest(entries: list[ManifestEntry]) -> dict[str, ManifestEntry]:
    """By file name the entry that holds: of the newest export, then of the last manifest name."""
    ordered = sorted(entries, key=lambda entry: (entry.exported_at, entry.manifest))
    return {entry.name: entry for entry in ordered}


def _number(value: object) -> int | None:
    """A number as exporters write it: 12, "12" or 12.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number = None if value is None else int(str(value))
    if number is not None and number.bit_length() > _BITS:
        raise ValueError("larger than any file")
    return number


def _instant(value: object) -> datetime | None:
    """An ISO time; naive ones are Asia/Shanghai, as in every export."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_SHANGHAI)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_YEAR <= moment.year < _LAST_YEAR else None
