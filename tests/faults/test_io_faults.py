"""A disk or a database that fails once, or from some call on, leaves nothing to mend by hand."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from fault_io import ERRORS, KINDS
from fault_processes import Zygote, start_zygote
from fault_trials import Grounds, Outcome, Scenario

Tell = Callable[[list[Outcome]], None]

# The command, and the fixture of the home that it runs in.
COMMANDS = {
    "ingestion": (Scenario("", "take_in", "converge_take_in", has_readers=False), "grounds"),
    "build": (Scenario("", "build_and_check", "converge_build"), "ingested"),
    "publish": (Scenario("", "publish_candidate", "converge_publish"), "checked"),
    "erasure": (Scenario("", "erase", "converge_erase", shows_whole=False), "grounds"),
}
# What each command does most, for the few that are tried where not all is asked for.
FEW = {
    "ingestion": ("open", "write", "fsync", "rename", "remove", "database"),
    "publish": ("rename", "copy", "database", "duckdb"),
}
SCENARIOS = [(command, kind) for command in COMMANDS for kind in KINDS]
# As in fault_disk.c: number, and what can go wrong.
BELOW: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "open": (0, ("EACCES", "ENOSPC", "EIO")),
    "write": (1, ("ENOSPC", "short", "EIO")),
    "fsync": (2, ("EIO", "ENOSPC")),
    "rename": (3, ("EACCES", "EIO", "ENOSPC")),
    "remove": (4, ("EACCES", "EIO")),
}


def numbers(count: int, most: int | None) -> list[int]:
    """Every call, or `most` of them, evenly."""
    if most is None or count <= most:
        return list(range(1, count + 1))
    return [1 + round(i * (count - 1) / (most - 1)) for i in range(most)]


def try_calls(  # noqa: PLR0917  # what a series of faults is made of
    request: pytest.FixtureRequest,
    command: str,
    program: str,
    kind: str,
    errors: tuple[str, ...],
    most: int | None,
) -> list[Outcome]:
    """Let the n-th call of a kind fail, for every n: once, and from there on."""
    scenario, fixture = COMMANDS[command]
    grounds: Grounds = request.getfixturevalue(fixture)
    if program == "suffer_below":
        grounds = replace(grounds, zygote=request.getfixturevalue("preloaded"))
    scenario = replace(scenario, name=f"{command}: {kind}")
    outcomes = []
    for number in numbers(grounds.count_calls(scenario, program).get(kind, 0), most):
        for lasts in (False, True) if most is None else (number % 2 == 0,):
            error = errors[(number + lasts) % len(errors)]
            outcomes.append(grounds.fail_at(scenario, program, (kind, number, error, lasts)))
    below = " (C library)" if program == "suffer_below" else ""
    return [replace(one, scenario=f"{command}: {kind}{below} fails") for one in outcomes]


@pytest.mark.parametrize(("command", "kind"), SCENARIOS)
def test_a_call_that_fails_leaves_what_the_next_run_mends(
    request: pytest.FixtureRequest, tell: Tell, is_full: bool, command: str, kind: str
) -> None:
    if not is_full and kind not in FEW.get(command, ()):
        pytest.skip("all of it by make faults")
    # statements are many, and alike
    most = (60 if kind in ("database", "duckdb") else None) if is_full else 2
    tell(try_calls(request, command, "suffer", kind, ERRORS[kind], most))


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """A process like that of other trials, with the library of fault_disk.c below it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler: what DuckDB and Arrow write fails as statements only")
    folder = tmp_path_factory.mktemp("preloaded")
    library = folder / "fault_disk.so"
    source = Path(__file__).with_name("fault_disk.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    with start_zygote(folder, "fault_programs", LD_PRELOAD=str(library)) as zygote:
        yield zygote


@pytest.mark.parametrize(("command", "kind"), [(c, k) for c in COMMANDS for k in BELOW])
def test_a_system_call_that_fails_leaves_what_the_next_run_mends(
    request: pytest.FixtureRequest, tell: Tell, is_full: bool, command: str, kind: str
) -> None:
    if not is_full:
        pytest.skip("all of it by make faults")
    tell(try_calls(request, command, "suffer_below", kind, BELOW[kind][1], 40))
