"""What dbt has parsed, kept for every home of this user: a new home need not parse it once more.

Parsing takes dbt some ten seconds, reading what was parsed half a second. dbt itself parses anew
where the working file lies elsewhere, for its path is in the profile, although no model reads it.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from zhongtai.settings import Settings

log = logging.getLogger(__name__)

# what dbt leaves in its target folder and others read
PARSED = "partial_parse.msgpack"
_KEPT = (PARSED, "manifest.json", "semantic_manifest.json")
_DIGESTS = "sha256"
_PROJECTS = 5
_MADE_BY = ("dbt-core", "dbt-adapters", "dbt-duckdb")


def restore_parsed(settings: Settings, target: Path) -> bool:
    """Copy what was parsed of exactly this project into dbt's target folder.

    False where nothing is kept, or where it is not what was written.
    """
    folder = _folder(settings)
    try:
        digests = (folder / _DIGESTS).read_text("ascii").split()
        contents = [(folder / name).read_bytes() for name in _KEPT]
    except OSError:
        return False
    with suppress(PermissionError):
        # who may only read what others keep uses it all the same
        os.utime(folder)
    if digests != [hashlib.sha256(content).hexdigest() for content in contents]:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    target.mkdir(parents=True, exist_ok=True)
    for name, content in zip(_KEPT, contents, strict=True):
        staged = target / f".{name}.{os.getpid()}"
        staged.write_bytes(content)
        staged.replace(target / name)
    return True


def keep_parsed(settings: Settings, target: Path) -> None:
    """Keep what dbt just left in its target folder; of few projects, the last ones."""
    folder = _folder(settings)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
        try:
            contents = [(target / name).read_bytes() for name in _KEPT]
            for name, content in zip(_KEPT, contents, strict=True):
                (staged / name).write_bytes(content)
            digests = [hashlib.sha256(content).hexdigest() for content in contents]
            (staged / _DIGESTS).write_text("\n".join(digests), "ascii")
            if not folder.exists():
                staged.rename(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        kept = sorted(folder.parent.iterdir(), key=lambda path: -path.stat().st_mtime)
        for old in kept[_PROJECTS:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        # a home of its own is no condition: without a place every new home parses
        log.info("what dbt parsed is not kept: %s", error)


def _folder(settings: Settings) -> Path:
    """Where it is kept: named by all that parsing depends on."""
    digest = hashlib.sha256()
    for part in (*(f"{name} {version(name)}" for name in _MADE_BY), str(settings.project_dir)):
        digest.update(part.encode() + b"\0")
    for name in ("dbt_project", "seeds"):
        for file in sorted((settings.project_dir / name).rglob("*")):
            if file.is_file() and not _is_made(file, settings.project_dir / name):
                digest.update(str(file.relative_to(settings.project_dir)).encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return settings.cache_dir / "dbt" / digest.hexdigest()


def _is_made(file: Path, project: Path) -> bool:
    """Whether dbt made the file when somebody called it by hand."""
    return file.relative_to(project).parts[0] in ("target", "logs", "dbt_packages")
