"""Moving files whose ledger row is final out of the landing zone."""

import hashlib
from pathlib import Path

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.ingest.parts import place_file
from zhongtai.ingest.setaside import stored_name
from zhongtai.landing import LandedFile, LandingZone
from zhongtai.settings import Settings


def archived_file(settings: Settings, source: str, entity: str, sha256: str, name: str) -> Path:
    """Where a file of these bytes is archived."""
    return settings.path("archive", source, entity, sha256, stored_name(name))


def move_to_archive(
    settings: Settings, zone: LandingZone, contract: Contract, file: LandedFile
) -> None:
    """Move a recorded file to the archive, unless it changed since.

    A crash in between leaves it in the landing zone or in both places; the next drain finds it
    there, known, and moves it.
    """
    may_move = zone.is_local and not Path(file.location).is_symlink()
    copy = _copy_place(settings, file)
    try:
        try:
            sha256 = _hash(zone, file) if may_move else zone.copy(file, copy)
        except FileNotFoundError:
            return  # taken away or replaced since
        if zone.stat(file) != file:
            return
        zone.remove_marker(file)
        reach("land.marker_removed")
        target = archived_file(settings, contract.source, contract.entity, sha256, file.name)
        place_file(Path(file.location) if may_move else copy, target)
    finally:
        copy.unlink(missing_ok=True)
    reach("land.archived")
    zone.remove(file)
    reach("land.landing_removed")


def _copy_place(settings: Settings, file: LandedFile) -> Path:
    """Where what cannot be moved is copied to; a crash leaves one copy, which the next replaces."""
    folder = settings.path("tmp")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"archive-{hashlib.sha256(file.label.encode()).hexdigest()[:16]}"


def _hash(zone: LandingZone, file: LandedFile) -> str:
    digest = hashlib.sha256()
    for block in zone.read_blocks(file):
        digest.update(block)
    return digest.hexdigest()
