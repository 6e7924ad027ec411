"""Moving a recorded file out of the landing zone."""

import shutil
from pathlib import Path

from zhongtai.ingest.judgement import Judgement
from zhongtai.ingest.parts import place_file
from zhongtai.landing import LandingZone
from zhongtai.settings import Settings


def archived_file(settings: Settings, source: str, entity: str, sha256: str, name: str) -> Path:
    """Where a file of these bytes is archived."""
    return settings.path("archive", source, entity, sha256, name)


def move_to_archive(settings: Settings, zone: LandingZone, judgement: Judgement) -> None:
    """Move a file whose ledger row is final to the archive, unless it changed meanwhile.

    A crash in between leaves it in both places; the ledger knows its bytes either way.
    """
    file, contract = judgement.delivery.file, judgement.delivery.contract
    target = archived_file(settings, contract.source, contract.entity, judgement.sha256, file.name)
    copy = judgement.local.with_name(f"{judgement.local.name}.archive")
    if zone.is_local and not Path(file.location).is_symlink():
        copy = Path(file.location)
    else:
        shutil.copyfile(judgement.local, copy)
    if zone.stat(file) == file:
        place_file(copy, target)
        zone.remove(file)
