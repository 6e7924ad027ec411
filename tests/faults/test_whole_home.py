"""Whole runs by the command line: nothing of a person gets out, and who is erased stays away.

Too long for every commit: `make faults` runs them, and prints what they measured.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from canary_cases import all_forms, as_utf8, search, search_database, search_home
from erasure_cases import find_bytes
from fault_parts import IS_FULL

from zhongtai.database import connect
from zhongtai.embedded_server import stop_embedded_server
from zhongtai.settings import Settings, load_settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not IS_FULL, reason="make faults runs whole homes"),
]
PEOPLE, DAYS, CANARIES = "80", "8", 20


def call(home: Path, *arguments: str) -> str:
    """What a command of its own process says on both streams, with the most that it logs."""
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("zhongtai")), *arguments, "--home", str(home)],
        env={**os.environ, "ZHONGTAI_LOG_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"


@dataclass(frozen=True)
class Lived:
    """A home after one run over sample exports, and what was printed."""

    home: Path
    landing: Path
    as_of: str
    told: str

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home)


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    folder = Path(tempfile.mkdtemp(prefix="zt-wh-", dir="/tmp"))
    home, exports = folder / "h", folder / "exports"
    try:
        arguments = ["--people", PEOPLE, "--days", DAYS, "--seed", "5", "--out", str(exports)]
        made = subprocess.run(
            [str(Path(sys.executable).with_name("zhongtai")), "generate", "exports", *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        as_of = made.rpartition("--as-of ")[2].strip()
        landing = exports / "landing" if (exports / "landing").is_dir() else exports
        call(home, "database", "start")
        told = call(home, "run", "--landing", str(landing), "--as-of", as_of)
        yield Lived(home, landing, as_of, told)
    finally:
        stop_embedded_server(load_settings(home=home))
        shutil.rmtree(folder, ignore_errors=True)


def read_canaries(home: Path) -> dict[str, set[str]]:
    """By one_id what sources call a person and nobody else."""
    current = home / "published" / "profiles" / "current.duckdb"
    with duckdb.connect(str(current.resolve()), read_only=True) as profiles:
        rows = profiles.execute(
            "select one_id, list(distinct replace(identifier_value, '+86', '')) from"
            " bridge_user_identifiers where not is_shared and length(identifier_value) >= 10"
            " and identifier_type in ('mobile', 'email', 'unionid', 'openid', 'login_id',"
            " 'anonymous_id', 'id_card') group by one_id having count(*) >= 3"
            f" order by one_id limit {CANARIES}"
        ).fetchall()
    return {one_id: set(values) for one_id, values in rows}


def test_a_whole_run_tells_nothing_of_anybody(lived: Lived, figure: Callable[[str], None]) -> None:
    assert lived.told.startswith("0\n"), lived.told[-3000:]
    canaries = read_canaries(lived.home)
    assert len(canaries) == CANARIES
    sought = all_forms(value for values in canaries.values() for value in values)
    told = lived.told + "".join(
        call(lived.home, *command)
        for command in (["status", "--json"], ["quarantine", "list", "--json"], ["doctor"])
    )
    assert search(as_utf8(told), sought) == set()
    files, found = search_home(lived.home, sought)
    with connect(lived.settings) as connection:
        tables, stored = search_database(connection, sought)
    assert files >= 100
    assert tables >= 60
    assert (found, stored) == ({}, {})
    figure(
        f"canaries: {len(canaries)} persons, {len(sought)} forms, {files} files and"
        f" {tables} tables searched, 0 found"
    )


def test_who_is_erased_by_command_is_gone_after_the_next_publish(
    lived: Lived, figure: Callable[[str], None]
) -> None:
    canaries = read_canaries(lived.home)
    one_id, values = next(iter(canaries.items()))
    mobile = next(value for value in values if value.isdigit() and len(value) == 11)
    before = find_bytes(lived.home, values)
    assert {file.split("/")[0] for file in before} >= {"lake", "published", "warehouse"}
    dry = call(lived.home, "erase", "--identifier", f"mobile=+86{mobile}", "--dry-run")
    assert "nothing was changed" in dry
    assert find_bytes(lived.home, values) == before
    started = time.monotonic()
    told = call(lived.home, "erase", "--identifier", f"mobile=+86{mobile}", "--because", "ticket")
    seconds = time.monotonic() - started
    assert told.startswith("0\n"), told[-3000:]
    again = call(lived.home, "run", "--landing", str(lived.landing), "--as-of", lived.as_of)
    assert again.startswith("0\n"), again[-3000:]
    assert "published snapshot" in again
    # the snapshot before it is kept for a rollback: it lost the person as well
    assert find_bytes(lived.home, values) == {}
    with connect(lived.settings) as connection:
        row = connection.execute(
            "select count(*) from profiles.dim_users where one_id = %s", [one_id]
        ).fetchone()
        assert row == (0,)
    assert len(read_canaries(lived.home)) == CANARIES
    figure(f"erasure of one person by command: {seconds:.0f} s")
