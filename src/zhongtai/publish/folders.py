"""Files that appear whole or not at all: staging names, fsync, renames and links."""

import os
import shutil
from pathlib import Path

from zhongtai.crash_points import reach
from zhongtai.settings import Settings

STAGED = ".staged-"

_STORE_MODES = {"metrics": 0o755, "profiles": 0o700, "parquet": 0o755}


def store_folder(settings: Settings, store: str) -> Path:
    """<home>/published/<store>, made if need be; only its owner may enter `profiles`."""
    folder = settings.path("published", store)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o777 != _STORE_MODES[store]:
        folder.chmod(_STORE_MODES[store])
    return folder


def sync(path: Path) -> None:
    """Flush a file or a folder to disk, so that a rename after it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reveal(staged: Path, final: Path) -> None:
    """Give a staged file or folder its name; a no-op when an earlier try already did."""
    if staged.exists():
        staged.rename(final)
        sync(final.parent)
        reach("publish.revealed")


def point(link: Path, target: str) -> bool:
    """Make `link` a relative symlink to `target` in one step; False when it already was."""
    if link.is_symlink() and os.readlink(link) == target:  # noqa: PTH115  # resolve() would follow
        return False
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    reach("publish.link_made")
    fresh.replace(link)
    sync(link.parent)
    reach("publish.link_swapped")
    return True


def remove(path: Path) -> None:
    """Delete a file or a folder with what is in it; missing is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    reach("clean_up.file_removed")
