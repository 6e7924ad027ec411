"""Trials: a copy of a prepared home, a process that is killed in it, and the run that follows."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from fault_processes import Ended, Zygote

_numbers = count(1)


@dataclass(frozen=True)
class Scenario:
    """A command of the product that is killed, and the program that runs after it.

    `shows_whole`: readers see what they saw before or what they see in the end, nothing between.
    `has_readers`: the command changes what readers see.
    """

    name: str
    function: str
    converge: str
    shows_whole: bool = True
    has_readers: bool = True
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one trial; `wrong` says in words what did not converge."""

    scenario: str
    disturbance: str
    lost: int = 0
    doubled: int = 0
    mixed: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the home is as an undisturbed run would have left it."""
        return not (self.wrong or self.lost or self.doubled or self.mixed)

    def __str__(self) -> str:
        found = f"{self.lost} lost, {self.doubled} doubled, {self.mixed} mixed"
        return f"{self.scenario} {self.disturbance}: {found}; " + "; ".join(self.wrong[:6])


@dataclass
class Grounds:
    """A prepared home and database that each trial gets a copy of."""

    zygote: Zygote
    server: str
    folder: Path
    project: Path
    base: str
    snapshots: tuple[str, ...] = ()
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def fresh(self) -> Iterator[dict[str, str]]:
        """Arguments of a program over a copy of the prepared home, which goes afterwards."""
        name = f"{self.base}_{next(_numbers)}"
        home = self.folder / name
        subprocess.run(["cp", "-a", str(self.folder / self.base), str(home)], check=True)
        self._create(name, self.base)
        try:
            yield self._place(name)
        finally:
            with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
                connection.execute(f"drop database {name} with (force)".encode())
            subprocess.run(["rm", "-rf", str(home)], check=True)

    def _url(self, database: str) -> str:
        return self.server.replace("/zhongtai_template", f"/{database}")

    def derive(self, base: str, function: str) -> "Grounds":
        """Other grounds: a copy of these on which a program has run."""
        made = replace(self, base=base, _known={})
        subprocess.run(
            ["cp", "-a", str(self.folder / self.base), str(self.folder / base)], check=True
        )
        made._create(base, self.base)
        self.zygote.must(f"fault_programs:{function}", **made._place(base))
        return made

    def prepare(self, function: str) -> None:
        """Make the prepared home with a program of `fault_programs`."""
        self._create(self.base, "zhongtai_template")
        made = self.zygote.must(f"fault_programs:{function}", **self._place(self.base))
        self.snapshots = tuple(made or ())

    def _create(self, name: str, template: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())

    def _place(self, name: str) -> dict[str, str]:
        home = str(self.folder / name)
        return {"home": home, "url": self._url(name), "project": str(self.project)}

    def undisturbed(self, scenario: Scenario) -> dict[str, Any]:
        """What an undisturbed run leaves: seen before, found after, seen after; made once."""
        if scenario.name not in self._known:
            with self.fresh() as place:
                before = self.zygote.must("fault_programs:look", **place)
                started = time.monotonic()
                self.zygote.must(
                    f"fault_programs:{scenario.function}", **place, **scenario.arguments
                )
                seconds = time.monotonic() - started
                # what follows a killed run follows an undisturbed one as well: it changes nothing
                made = self.zygote.must(
                    f"fault_programs:{scenario.converge}", **place, **scenario.arguments
                )
                self._known[scenario.name] = {
                    "seconds": seconds,
                    "before": before,
                    "found": made["found"],
                    "after": self.zygote.must("fault_programs:look", **place),
                }
        return self._known[scenario.name]

    def list_passings(self, scenario: Scenario) -> list[tuple[str, int]]:
        """Every passing of a crash point in an undisturbed run, in order: (point, occurrence)."""
        with self.fresh() as place:
            passed = self.zygote.must(
                "fault_programs:list_passings",
                environment={"ZHONGTAI_CRASH_AT": "run.started:999999"},
                function=scenario.function,
                arguments={**place, **scenario.arguments},
            )
        return [(point, n) for point, n in passed]

    def kill_at(
        self, scenario: Scenario, passings: Sequence[tuple[str, int]], at_most: int = 1
    ) -> list[Outcome]:
        """Kill the command at each of these crash points, and let the next run converge.

        Up to `at_most` kills follow each other in one home before a run is left alone: each next
        run starts from what the killed ones left.
        """
        pending, outcomes = list(passings), []
        while pending:
            with self.fresh() as place:
                killed, mixed = self._kill_in_turn(scenario, pending, at_most, place)
                if not killed:
                    name = "{}:{}".format(*pending.pop(0))
                    outcomes.append(Outcome(scenario.name, name, wrong=("was not killed",)))
                    continue
                after = self._converge(scenario, ", ".join(killed), place)
                mixed += after.mixed
                outcomes += [replace(after, mixed=mixed) for _ in killed]
                del pending[: len(killed)]
        return outcomes

    def _kill_in_turn(
        self,
        scenario: Scenario,
        passings: Sequence[tuple[str, int]],
        at_most: int,
        place: dict[str, str],
    ) -> tuple[list[str], int]:
        """Kill one run after the other, as far as they get; the points, and mixed reads between."""
        killed: list[str] = []
        mixed = 0
        for point, occurrence in passings[:at_most]:
            ended = self.zygote.call(
                f"fault_programs:{scenario.function}",
                environment={"ZHONGTAI_CRASH_AT": f"{point}:{occurrence}"},
                **place,
                **scenario.arguments,
            )
            assert ended.raised is None, ended.raised
            if not ended.killed:
                break
            killed.append(f"{point}:{occurrence}")
            if at_most > 1 and scenario.has_readers:
                mixed += len(self._find_mixed(scenario, self._look(place)))
        return killed, mixed

    def _look(self, place: dict[str, str]) -> dict[str, Any]:
        return self.zygote.must("fault_programs:look", **place)

    def _find_mixed(self, scenario: Scenario, seen: Mapping[str, Any]) -> list[str]:
        known = self.undisturbed(scenario)
        return [s for s, shown in seen.items() if not _is_whole(scenario, s, shown, known)]

    def kill_after(self, scenario: Scenario, seconds: float) -> Outcome | None:
        """Kill the command at a moment; None where it had ended before."""
        with self.fresh() as place:
            ended = self.zygote.call(
                f"fault_programs:{scenario.function}",
                kill_after=seconds,
                **place,
                **scenario.arguments,
            )
            if not ended.killed:
                assert ended.raised is None, ended.raised
                return None
            return self._converge(scenario, f"after {seconds:.3f} s", place)

    def count_calls(self, scenario: Scenario, program: str) -> dict[str, int]:
        """How often each kind of call is made in an undisturbed run; `program` counts them."""
        key = f"{program} {scenario.function}"
        if key not in self._known:
            with self.fresh() as place:
                self._known[key] = self._suffer(scenario, program, place, None).returned
        return self._known[key]

    def fail_at(
        self, scenario: Scenario, program: str, plan: tuple[str, int, str, bool]
    ) -> Outcome:
        """Let calls of the command fail by a plan, and the next run converge."""
        kind, number, error, lasts = plan
        name = f"{kind} {number}{' and later' if lasts else ''}: {error}"
        with self.fresh() as place:
            ended = self._suffer(scenario, program, place, plan)
            # where DuckDB cannot say that the disk failed it ends the process: a kill like others
            assert not ended.killed or program == "suffer_below"
            return self._converge(scenario, name, place)

    def _suffer(
        self,
        scenario: Scenario,
        program: str,
        place: dict[str, str],
        plan: tuple[str, int, str, bool] | None,
    ) -> Ended:
        return self.zygote.call(
            f"fault_programs:{program}",
            may_abort=program == "suffer_below",
            function=scenario.function,
            arguments={**place, **scenario.arguments},
            plan=plan,
        )

    def _converge(self, scenario: Scenario, name: str, place: dict[str, str]) -> Outcome:
        known = self.undisturbed(scenario)
        ended = self.zygote.call(
            f"fault_programs:{scenario.converge}", **place, **scenario.arguments
        )
        if ended.raised is not None:
            return Outcome(scenario.name, name, wrong=(ended.raised.strip(),))
        mixed = [
            store
            for moment in ("seen", "recovered")
            for store in self._find_mixed(scenario, ended.returned.get(moment, {}))
        ]
        return compare(scenario.name, name, known["found"], ended.returned["found"], mixed)


def _is_whole(
    scenario: Scenario, store: str, shown: Mapping[str, Any], known: Mapping[str, Any]
) -> bool:
    """Whether a store shows one snapshot, and one that passed its checks."""
    if len(shown["ids"]) != 1 or shown["ids"][0].startswith("mixed"):
        return False
    wholes = [known[moment][store]["content"] for moment in ("before", "after")]
    return not scenario.shows_whole or shown["content"] in wholes


def compare(
    scenario: str,
    disturbance: str,
    expected: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Any]],
    mixed: Sequence[str] = (),
) -> Outcome:
    """What differs between an undisturbed home and a disturbed one."""
    nothing = {"rows": 0, "content": ""}
    lost = doubled = 0
    wrong = [f"a reader saw a mixture in {store}" for store in mixed]
    for name in sorted({*expected, *found}):
        wanted, has = expected.get(name, nothing), found.get(name, nothing)
        if wanted == has:
            continue
        wrong.append(f"{name}: {has} instead of {wanted}")
        if name.startswith(("lake/", "quarantine/", "postgres:", "duckdb", "parquet:")):
            lost += max(0, wanted["rows"] - has["rows"])
            doubled += max(0, has["rows"] - wanted["rows"])
    return Outcome(scenario, disturbance, lost, doubled, len(mixed), tuple(wrong))


def choose(passings: Sequence[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    """Each point at its first passing, then others evenly from among the rest; in their order."""
    first = [passing for passing in passings if passing[1] == 1]
    rest = [passing for passing in passings if passing[1] > 1]
    chosen = set(_spread(first, most)) | set(_spread(rest, most - len(first)))
    return [passing for passing in passings if passing in chosen]


def _spread(passings: Sequence[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    if most >= len(passings):
        return list(passings)
    return [passings[i * len(passings) // most] for i in range(max(0, most))]
