"""Persons whom many entities know, erased one after another from a home of a million profiles.

Sample exports and silent contacts go through `zhongtai run`. Then, round by round, the person of
whom most is known is erased by the clock, every file of the home is searched for what sources
called anybody erased so far, and the next run publishes: each round has one kept snapshot more than
the one before. At a million profiles this takes hours and some thirty gigabytes, so `make bench`
leaves it out.

    python -m benchmarks.erasure [--people 500000] [--rounds 2] [--folder /tmp]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.erasure_scan import find_holders
from benchmarks.erasure_world import write_silent
from benchmarks.pipeline import watched

DAYS, SEED = 3, 7
ROUNDS = 2
# of every person of the sample there are some one and a half profiles
SILENT_SHARE = 0.5
# no customer ids of the crm: C000001942 is part of the delivery number JC000001942 of the sample
_KNOWN_BY = (
    "mobile",
    "email",
    "unionid",
    "openid",
    "login_id",
    "anonymous_id",
    "id_card",
    "wecom_external_id",
)
Spent = dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Known:
    """The person to erase: `values` are what sources call nobody else."""

    one_id: str
    mobile: str
    records: int
    entities: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Erased:
    """What an erasure took; `parts` are seconds by the clock, of the processor here and there.

    There is PostgreSQL. Seconds of the processor are of all cores.
    """

    seconds: float
    parts: Spent
    counts: dict[str, int]


@dataclass(frozen=True)
class Round:
    """A home after a run of `run_seconds`, and what erasing one person from it took.

    `holders` are how many of its files held a value of that person before, and of all persons
    erased so far afterwards.
    """

    run_seconds: float
    profiles: int
    rows_of_persons: int
    raw_rows: int
    snapshots: int
    gigabytes: float
    person: Known
    erased: Erased
    peak_mb: float
    load: float
    holders: tuple[int, int]


def call(home: Path, *arguments: str) -> tuple[float, str]:
    """Run a command of the product; returns its seconds by the clock and what it says."""
    program = str(Path(sys.executable).with_name("zhongtai"))
    started = time.perf_counter()
    ended = subprocess.run(
        [program, *arguments, "--home", str(home)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(f"zhongtai {arguments[0]}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return time.perf_counter() - started, ended.stdout


@contextmanager
def profiles_of(home: Path) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    """Ask the published persons."""
    import duckdb

    file = (home / "published" / "profiles" / "current.duckdb").resolve()
    with duckdb.connect(file, read_only=True) as connection:
        yield lambda query: connection.execute(query).fetchall()


def choose_person(home: Path) -> Known:
    """Whom most entities know, with a mobile number and no value that others have too."""
    with profiles_of(home) as ask:
        ((one_id, mobile, records, entities),) = ask(
            "with holders as (select identifier_type, identifier_scope, identifier_value,"
            " count(distinct one_id) > 1 or bool_or(is_shared) as is_shared"
            " from bridge_user_identifiers group by all),"
            " called as (select one_id, any_value(identifier_value) filter"
            " (where identifier_type = 'mobile') as mobile, bool_or(holders.is_shared) as is_shared"
            " from bridge_user_identifiers join holders"
            " using (identifier_type, identifier_scope, identifier_value) group by one_id)"
            " select one_id, mobile, count(*), count(distinct (source, entity))"
            " from bridge_user_records join called using (one_id)"
            " where mobile is not null and not is_shared"
            " group by one_id, mobile order by 4 desc, 3 desc, 1 limit 1"
        )
        kinds = ", ".join(f"'{kind}'" for kind in _KNOWN_BY)
        values = ask(
            "select distinct replace(identifier_value, '+86', '') from bridge_user_identifiers"  # noqa: S608  # of our own
            f" where one_id = '{one_id}' and identifier_type in ({kinds})"
            " and length(identifier_value) >= 10 order by 1"
        )
    called = tuple(str(value) for (value,) in values)
    return Known(str(one_id), str(mobile), int(str(records)), int(str(entities)), called)


def count_home(home: Path) -> tuple[int, int, int, int]:
    """Profiles, rows of all tables of persons, rows of the raw zone, and kept snapshots."""
    import duckdb

    with profiles_of(home) as ask:
        ((profiles,),) = ask("select count(*) from dim_users")
        ((rows,),) = ask("select sum(estimated_size) from duckdb_tables()")
    with duckdb.connect() as connection:
        parts = str(home / "lake" / "raw" / "*" / "*" / "*.parquet")
        ((raw,),) = connection.execute(
            "select sum(num_rows) from parquet_file_metadata(?)", [parts]
        ).fetchall()
    kept = [
        file
        for file in (home / "published" / "profiles").glob("*.duckdb")
        if not file.is_symlink() and not file.name.startswith(".")
    ]
    return int(str(profiles)), int(str(rows)), int(raw), len(kept)


class Meter:
    """Seconds by the clock, of this process and of PostgreSQL, for each part of an erasure."""

    def __init__(self, home: Path) -> None:
        pid = (home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]
        self._postmaster = psutil.Process(int(pid))
        self.parts: Spent = {}
        self._part = "find the person"
        self._since = self._now()

    def note(self, message: str) -> None:
        """The part that begins."""
        step = message.removeprefix("erase").removeprefix(": ")
        # one entity after another is the raw zone, with what was set aside
        part = "raw zone and quarantine" if "." in step else step
        self._end()
        self._part = part or self._part

    def finish(self) -> Spent:
        """All parts."""
        self._end()
        return self.parts

    def _end(self) -> None:
        now = self._now()
        before = self.parts.get(self._part, (0.0, 0.0, 0.0))
        spent = [b + n - s for b, n, s in zip(before, now, self._since, strict=True)]
        self.parts[self._part] = (spent[0], spent[1], spent[2])
        self._since = now

    def _now(self) -> tuple[float, float, float]:
        own = self._postmaster.cpu_times()
        # what ended is counted with the postmaster
        server = own.user + own.system + own.children_user + own.children_system
        for process in self._postmaster.children():
            try:
                server += sum(process.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        return time.perf_counter(), time.process_time(), server


def erase(home: Path, mobile: str) -> Erased:
    """What `zhongtai erase` does, in this process, so that its parts can be told apart."""
    from zhongtai import pipeline
    from zhongtai.erasure.erasures import read_identifier
    from zhongtai.settings import load_settings

    settings = load_settings(home=home)
    meter, started = Meter(home), time.perf_counter()
    removal = pipeline.erase(
        settings,
        read_identifier(f"mobile={mobile}"),
        author="bench",
        because="a benchmark",
        progress=meter.note,
    )
    return Erased(time.perf_counter() - started, meter.finish(), dict(removal.counts))


def make_exports(folder: Path, people: int) -> None:
    """Exports in `folder`/world, and the instant that they are meant for."""
    from zhongtai.generate.exports import generate

    made = generate(folder / "world", people=people, days=DAYS, seed=SEED)
    shutil.rmtree(folder / "world" / "truth")
    (folder / "as_of").write_text(made.as_of)
    numbers, as_of = range(1, 1 + int(people * SILENT_SHARE)), datetime.fromisoformat(made.as_of)
    write_silent(folder / "world" / "landing", numbers, people, as_of)


def run(folder: Path) -> float:
    """One run over the exports; returns its seconds. Raises RuntimeError unless it published."""
    landing, as_of = folder / "world" / "landing", (folder / "as_of").read_text()
    given = ("--landing", str(landing), "--as-of", as_of, "--json")
    seconds, said = call(folder / "h", "run", *given)
    if json.loads(said)["status"] != "published":
        raise RuntimeError(f"the run did not publish: {said}")
    return seconds


def erase_one(home: Path, run_seconds: float, earlier: Sequence[Known]) -> Round:
    """Erase whom most entities know, and look for what is left of all who were erased."""
    counted, person = count_home(home), choose_person(home)
    before, size = find_holders(home, person.values)
    call(home, "database", "start")
    load = psutil.getloadavg()[0]
    try:
        erased, peak = watched(erase, home, person.mobile)
    finally:
        call(home, "database", "stop")
    values = {value for one in (*earlier, person) for value in one.values}
    after, _ = find_holders(home, values)
    return Round(
        run_seconds,
        *counted,
        gigabytes=size / 2**30,
        person=person,
        erased=erased,
        peak_mb=peak,
        load=load,
        holders=(len(before), len(after)),
    )


def measure(people: int, rounds: int = ROUNDS, parent: Path | None = None) -> list[Round]:
    """Make a home; then, round by round, publish and erase somebody."""
    found: list[Round] = []
    # a short path: PostgreSQL's socket must fit into 107 characters
    with tempfile.TemporaryDirectory(prefix="zt-bench-", dir=parent) as name:
        folder = Path(name)
        make_exports(folder, people)
        for _ in range(rounds):
            seconds = run(folder)
            found.append(erase_one(folder / "h", seconds, [one.person for one in found]))
    return found


def describe(one: Round) -> dict[str, object]:
    """A round without what the person is called."""
    person = {"records": one.person.records, "entities": one.person.entities}
    return {**asdict(one), "person": {**person, "values": len(one.person.values)}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, help="a short path with room for forty gigabytes")
    options = parser.parse_args()
    measured = measure(options.people, options.rounds, options.folder)
    print(json.dumps([describe(one) for one in measured], indent=1))  # noqa: T201
