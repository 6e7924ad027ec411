"""Manifests: what a source says it exported."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from zhongtai.landing.files import LandedFile, LandingZone, Stray, same_name

SUFFIX = ".manifest.json"
_LARGEST = 64 * 2**20
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
        if self.sha256 is not None and self.sha256.lower() != sha256:
            found.append(f"sha256 {sha256[:12]}… instead of {self.sha256[:12].lower()}…")
        return tuple(found)


def read_manifest(zone: LandingZone, file: LandedFile) -> tuple[ManifestEntry, ...] | Stray:
    """The entries of one manifest, or what is wrong with it (it may still be written)."""
    if file.bytes > _LARGEST:
        return Stray(file.label, "is too large for a manifest")
    try:
        with zone.open(file) as opened:
            content = json.loads(opened.read().decode("utf-8-sig"))
        return _entries(content, file)
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Stray(file.label, f"is no readable manifest ({error.__class__.__name__})")


def _entries(content: dict[str, Any], file: LandedFile) -> tuple[ManifestEntry, ...]:
    source, entity = file.label.split("/")[:2]
    if (content.get("source", source), content.get("entity", entity)) != (source, entity):
        raise ValueError("source or entity of another folder")
    exported_at = _instant(content.get("exported_at")) or file.modified_at
    return tuple(
        ManifestEntry(
            name=same_name(str(entry["name"])),
            bytes=_number(entry.get("bytes")),
            sha256=str(entry["sha256"]) if entry.get("sha256") else None,
            rows=_number(entry.get("rows")),
            exported_at=exported_at,
            manifest=file.label,
        )
        for entry in content["files"]
    )


def newest(entries: list[ManifestEntry]) -> dict[str, ManifestEntry]:
    """By file name the entry that holds: of the newest export, then of the last manifest name."""
    ordered = sorted(entries, key=lambda entry: (entry.exported_at, entry.manifest))
    return {entry.name: entry for entry in ordered}


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))


def _instant(value: object) -> datetime | None:
    """An ISO time; naive ones are Asia/Shanghai, as in every export."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_SHANGHAI)
    return moment.astimezone(UTC)
