"""`make setup` installs from the lock, also where a proxy signs or an index is pip's alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
echo "UV_SYSTEM_CERTS=$UV_SYSTEM_CERTS" >> {log}
exit {code}
"""


def run_setup(folder: Path, *, uv_exit_code: int, **environment: str) -> list[str]:
    """Run `make setup` over a stubbed python and uv; what they were called with, in order."""
    locks = ("requirements.lock", "benchmarks/accuracy_data.lock")
    for name in ("Makefile", "pyproject.toml", *locks):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    log = folder / "calls"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, code in (("python", 0), ("uv", uv_exit_code)):
        program = programs / name
        program.write_text(STUB.format(log=log, code=code))
        program.chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "MAKE"))}
    subprocess.run(
        ["make", "setup", "PYTHON=python3"],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        check=uv_exit_code == 0,
    )
    return log.read_text().splitlines()


def test_uv_trusts_the_certificates_of_the_system(tmp_path: Path) -> None:
    calls = run_setup(tmp_path, uv_exit_code=0)
    assert any(call.startswith("uv pip install") and "--require-hashes" in call for call in calls)
    assert set(calls[1::2]) == {"UV_SYSTEM_CERTS=1"}


def test_a_person_may_choose_other_certificates(tmp_path: Path) -> None:
    calls = run_setup(tmp_path, uv_exit_code=0, UV_SYSTEM_CERTS="false")
    assert set(calls[1::2]) == {"UV_SYSTEM_CERTS=false"}


def test_pip_installs_the_lock_where_uv_cannot(tmp_path: Path) -> None:
    calls = run_setup(tmp_path, uv_exit_code=2)
    assert any(
        call.startswith("python -m pip install") and "--require-hashes -r requirements.lock" in call
        for call in calls
    )


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_uv_is_new_enough_to_know_the_setting(file: str) -> None:
    assert "'uv>=0.11'" in (ROOT / file).read_text("utf-8")


def test_down_installs_nothing_to_stop_what_never_ran(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path / "Makefile")
    ended = subprocess.run(
        ["make", "--no-print-directory", "down"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "nothing was running\n")
    assert [file.name for file in tmp_path.iterdir()] == ["Makefile"]
