"""The home folder: who may enter which part of it."""

from pathlib import Path

from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings

# Folders with personal data, and with locks, which whoever opens them could hold. Only their owner
# may enter, whatever the modes above and below:
# the embedded PostgreSQL, run by root, opens every folder above its own to all users.
PRIVATE = (
    "quarantine", "warehouse", "identity", "archive", "tmp", "dbt", "logs", "exports",
    "erasure", "locks",
)  # fmt: skip


def secure_home(settings: Settings) -> None:
    """Make the private folders of the home, closed to everybody but their owner."""
    make_home(settings)
    for folder in private_folders(settings):
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o777 != 0o700:
            folder.chmod(0o700)


def make_home(settings: Settings) -> None:
    """Make the folder where there is none. Raises ConfigurationError where that cannot be."""
    try:
        settings.path().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the home {settings.path()} cannot be made: {(error.strerror or 'refused').lower()}",
            hint="give a folder that you may write with --home or ZHONGTAI_HOME",
        ) from error


def private_folders(settings: Settings) -> list[Path]:
    """The folders with personal data, the raw zone among them where it is on this machine."""
    folders = [settings.path(name) for name in PRIVATE]
    folders += [settings.path("published", name) for name in ("profiles", "bitmaps")]
    lake = settings.lake_url.removeprefix("file://")
    return folders if "://" in lake else [*folders, Path(lake)]
