"""Moving files whose ledger row is final out of the landing zone."""

import hashlib
import shutil
from pathlib import Path

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.ingest.parts import place_file
from zhongtai.ingest.setaside import stored_name
from zhongtai.landing import LandedFile, LandingZone
from zhongtai.settings import Settings

_BLOCK = 8 << 20


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
    folder = settings.path("tmp")
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with zone.open(file) as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    sha256 = digest.hexdigest()
    target = archived_file(settings, contract.source, contract.entity, sha256, file.name)
    if zone.stat(file) != file:
        return
    zone.remove_marker(file)
    reach("land.marker_removed")
    if zone.is_local and not Path(file.location).is_symlink():
        place_file(Path(file.location), target)
    else:
        copy = folder / f"archive-{sha256}"
        with zone.open(file) as opened, copy.open("wb") as written:
            shutil.copyfileobj(opened, written, _BLOCK)
        place_file(copy, target)
    reach("land.archived")
    zone.remove(file)
    reach("land.landing_removed")
