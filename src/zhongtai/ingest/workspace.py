"""A folder for unfinished files, which the next process removes when this one dies."""

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhongtai.crash_points import reach
from zhongtai.settings import Settings

_PREFIX = "ingest-"


@contextmanager
def open_workspace(settings: Settings) -> Iterator[Path]:
    """A private folder below <home>/tmp; folders of dead processes are removed on the way.

    The kernel drops a lock with its process, however that ends, so a folder whose lock is free
    has no owner.
    """
    parent = settings.path("tmp")
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{_PREFIX}{uuid.uuid4().hex}"
    with (parent / "ingest.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        _remove_abandoned(parent)
        folder.mkdir(mode=0o700)
        owned = (folder / "lock").open("w")
        fcntl.flock(owned, fcntl.LOCK_EX)
    reach("land.workspace_opened")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        owned.close()


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*/"):
        lock = folder / "lock"
        if not lock.exists():
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with lock.open("w") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            reach("land.workspace_abandoned")
