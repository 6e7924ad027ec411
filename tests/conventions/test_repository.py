"""What must hold for the files that git tracks."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_path_of_one_machine_and_no_registry_is_tracked() -> None:
    home = re.compile(r"/(home|Users)/\w+/|/root/|/work/")
    registry = re.compile(r"https?://[^\s\"']*(pypi|pythonhosted|npmjs|debian\.org)")
    looked_at, wrong = 0, []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        looked_at += 1
        if path == Path(__file__):
            continue
        if home.search(text) or registry.search(text):
            wrong.append(str(path.relative_to(ROOT)))
    assert looked_at >= 200
    assert wrong == []


def test_tracked_files_are_small() -> None:
    large = [p.name for p in tracked() if p.stat().st_size > 2**20]
    assert large == []


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert lock.count("--hash=sha256:") > 200
    assert "://" not in lock
