"""Taking a landed file as one unchanging thing: a local path, its hash, and whether it moved on."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhongtai.landing import Delivery, LandingZone

_BLOCK = 8 << 20
_DOUBLE_SUFFIXES = (".jsonl.gz", ".csv.gz")
_SUFFIX = re.compile(r"[a-z0-9.]{1,9}")


class FileChanged(Exception):  # noqa: N818 - an outcome, not a fault
    """The file was written to, or went away, while it was read: it is judged another time."""


@contextmanager
def held_still(zone: LandingZone, delivery: Delivery) -> Iterator[None]:
    """Raise FileChanged at the end of the block if the file is not the one it was.

    What was read is not what was hashed if the file moved on meanwhile, or another came in its
    place; the size and time of that one may be the same.
    """
    identity = zone.identity(delivery.file)
    try:
        yield
    finally:
        if zone.is_local and (
            zone.stat(delivery.file) != delivery.file or zone.identity(delivery.file) != identity
        ):
            raise FileChanged(delivery.file.label)


def fetch(zone: LandingZone, folder: Path, delivery: Delivery) -> tuple[Path, str]:
    """A path in `folder` of the file, under a name without surprises, and the sha256 of its bytes.

    Raises FileChanged where the file is gone or not as it was when it was listed.
    """
    name = delivery.file.name.lower()
    suffix = next((s for s in _DOUBLE_SUFFIXES if name.endswith(s)), Path(name).suffix)
    safe = suffix if _SUFFIX.fullmatch(suffix) else ""
    key = hashlib.sha256(f"{delivery.file.label}\x1f{delivery.marker}".encode()).hexdigest()[:16]
    local = folder / f"{delivery.contract.table}-{key}{safe}"
    local.unlink(missing_ok=True)
    try:
        return local, _take(zone, delivery, local)
    except FileNotFoundError as error:
        raise FileChanged(delivery.file.label) from error


def _take(zone: LandingZone, delivery: Delivery, local: Path) -> str:
    if not zone.is_local:
        sha256 = zone.copy(delivery.file, local)
        # half of it may be of the file that came in its place
        if local.stat().st_size != delivery.file.bytes or zone.stat(delivery.file) != delivery.file:
            raise FileChanged(delivery.file.label)
        return sha256
    digest = hashlib.sha256()
    with zone.open(delivery.file) as opened:
        local.symlink_to(delivery.file.location)
        left = delivery.file.bytes
        # who writes faster than we read must not keep us
        while left >= 0 and (block := opened.read(_BLOCK)):
            digest.update(block)
            left -= len(block)
    if left:
        raise FileChanged(delivery.file.label)
    return digest.hexdigest()
