"""Puts files, markers and manifests into the landing folder and its waves, and counts rows."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zhongtai.generate.draws import Array
from zhongtai.generate.parcels import Parcel, render
from zhongtai.generate.sensors import BROKEN_LINES
from zhongtai.generate.timeline import Timeline

FILE_VERDICTS = {
    "manifest_sha256", "manifest_rows", "manifest_bytes", "truncated_gzip", "wrong_delimiter",
    "missing_column", "zip_bomb", "xml_bomb",
}  # fmt: skip
UNCOUNTABLE = {"truncated_gzip", "zip_bomb", "xml_bomb"}


@dataclass(frozen=True)
class Delivered:
    """A file as it lies in the landing folder, with the fate of its rows in order.

    `identity` numbers the rows: equal numbers of one entity are the same row delivered again.
    """

    parcel: Parcel
    wave: int
    exported_at: int
    size: int
    sha256: str
    identity: Array
    fates: Array


def deliver(out: Path, timeline: Timeline, parcels: Iterable[Parcel]) -> list[Delivered]:
    """Write the parcels below `out`; return what was delivered, in the order of arrival."""
    ordered = sorted(parcels, key=lambda parcel: (parcel.delivered, parcel.path))
    delivered: list[Delivered] = []
    manifests: dict[tuple[int, str, str], list[Delivered]] = {}
    for parcel in ordered:
        wave = timeline.wave_of(parcel.delivered)
        data = render(parcel)
        exported_at = int(timeline.exported_at(parcel.delivered))
        for root in _roots(out, timeline, wave):
            _put(root / parcel.path, data, exported_at)
        found = _describe(parcel, wave, exported_at, data)
        delivered.append(found)
        if parcel.entity.completion == "done" and parcel.damage != "no_marker":
            for root in _roots(out, timeline, wave):
                _put(root / f"{parcel.path}.done", b"", exported_at)
        elif parcel.entity.completion == "manifest":
            key = (
                wave,
                f"{parcel.entity.source}/{parcel.entity.name}/{parcel.folder}",
                parcel.group or parcel.name,
            )
            manifests.setdefault(key, []).append(found)
    for (wave, folder, name), files in manifests.items():
        for root in _roots(out, timeline, wave):
            _put_manifests(root / folder, name, files)
    return delivered


def _roots(out: Path, timeline: Timeline, wave: int) -> list[Path]:
    landing = [out / "landing"]
    return landing if timeline.waves == 1 else [*landing, out / "waves" / str(wave)]


def _put(path: Path, data: bytes, at: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (at, at))


def _describe(parcel: Parcel, wave: int, exported_at: int, data: bytes) -> Delivered:
    rows = parcel.rows
    fates = parcel.spelled.frame.fate[rows]
    if "broken_lines" in parcel.style.frills:
        rows = np.concatenate([rows, np.full(BROKEN_LINES, -1)])
        fates = np.concatenate([fates, np.full(BROKEN_LINES, "broken_json", dtype=object)])
    if parcel.damage in UNCOUNTABLE | {"empty", "header_only"}:
        rows, fates = rows[:0], fates[:0]
    digest = hashlib.sha256(data).hexdigest()
    return Delivered(parcel, wave, exported_at, len(data), digest, rows, fates)


def _put_manifests(folder: Path, name: str, files: list[Delivered]) -> None:
    last = max(file.exported_at for file in files)
    entity = files[0].parcel.entity
    entries = [_entry(file) for file in files]
    stem = name.partition(".")[0]
    if any(file.parcel.stale_manifest for file in files):
        wrong = [{**entry, "sha256": "0" * 64, "rows": 0} for entry in entries]
        _put_manifest(folder / f"{stem}_0.manifest.json", entity, last - 3_600, wrong)
    _put_manifest(folder / f"{stem}.manifest.json", entity, last, entries)


def _entry(file: Delivered) -> dict[str, Any]:
    damage = file.parcel.damage
    sha256 = file.sha256[::-1] if damage == "manifest_sha256" else file.sha256
    return {
        "name": file.parcel.name,
        "bytes": file.size + (7 if damage == "manifest_bytes" else 0),
        "sha256": sha256,
        "rows": len(file.identity) + (3 if damage == "manifest_rows" else 0),
    }


def _put_manifest(path: Path, entity: Any, at: int, entries: list[dict[str, Any]]) -> None:
    exported = datetime.fromtimestamp(at, tz=UTC).isoformat()
    content = {
        "source": entity.source,
        "entity": entity.name,
        "exported_at": exported,
        "files": entries,
    }
    _put(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode(), at)
