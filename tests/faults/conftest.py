"""The grounds on which trials are made, and the table of what came of them."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# the small worlds of other tests serve here as well, in any order of collection
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("unit", "end_to_end")]

from fault_models import make_models
from fault_parts import IS_FULL, PART, keep_part, split_part
from fault_processes import Zygote, start_zygote
from fault_trials import Grounds, Outcome
from fault_world import make_project
from fire_figures import figure, tally, write_figures

__all__ = ["figure", "tally"]

_FIGURES = "faults"


@pytest.fixture(scope="session")
def is_full() -> bool:
    """Whether `make faults` asks for all of it."""
    return IS_FULL


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """The process that forks the children of this session."""
    with start_zygote(tmp_path_factory.mktemp("zygote"), "fault_programs") as started:
        yield started


@pytest.fixture(scope="session")
def grounds(
    zygote: Zygote, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Grounds:
    """A home with two published snapshots and files for a third."""
    folder = tmp_path_factory.mktemp("grounds")
    made = Grounds(zygote, postgres_server, folder, make_project(folder / "project"), "base")
    made.prepare("fill")
    return made


@pytest.fixture(scope="session")
def ingested(grounds: Grounds) -> Grounds:
    """The same, and the files are ingested."""
    return grounds.derive("ingested", "take_in")


@pytest.fixture(scope="session")
def checked(ingested: Grounds) -> Grounds:
    """The same, and a candidate of them has passed the gate."""
    return ingested.derive("checked", "build_and_check")


@pytest.fixture(scope="session")
def modelled(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The same, made by dbt and the resolution of persons."""
    folder = tmp_path_factory.mktemp("modelled")
    preloaded = ("fault_programs", "dbt.cli.main", "dbt.adapters.duckdb.connections")
    with start_zygote(folder, *preloaded) as started:
        project = make_models(folder / "project")
        made = Grounds(started, postgres_server, folder, project, "modelled")
        made.prepare("fill_by_models")
        yield made


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[list[Outcome]], None]:
    """Keep outcomes for the table, and fail where one did not converge."""

    def told(outcomes: list[Outcome]) -> None:
        for one in outcomes:
            figures = (one.scenario, one.converged, one.lost, one.doubled, one.mixed)
            record_property(_FIGURES, figures)
        wrong = [str(one) for one in outcomes if not one.converged]
        assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n" + "\n".join(wrong[:20])

    return told


@pytest.hookimpl(trylast=True)  # after the folders of this run are made, or leaving would fail
def pytest_configure() -> None:
    """Refuse a part that is none before any worker starts."""
    if PART:
        split_part((), PART)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave only the part of the longer set that `make faults PART=` asks for."""
    keep_part(config, items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was tried and what came of it."""
    write_figures(terminalreporter)
    tried: dict[str, list[tuple[bool, int, int, int]]] = defaultdict(list)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == _FIGURES and getattr(report, "when", "") == "call":
                    tried[value[0]].append(tuple(value[1:]))
    _tell_simulated(terminalreporter)
    if not tried:
        return
    terminalreporter.section("faults")
    row = "{:44} {:>6} {:>10} {:>10} {:>13} {:>12}".format
    head = ("what", "tried", "converged", "rows lost", "rows doubled", "mixed reads")
    terminalreporter.write_line(row(*head))
    for name, found in [*sorted(tried.items()), ("all", [f for fs in tried.values() for f in fs])]:
        sums = [sum(figures) for figures in zip(*found, strict=True)]
        terminalreporter.write_line(row(name, len(found), *sums))


def _tell_simulated(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much the simulated days came to."""
    told: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                told.update(dict(getattr(report, "user_properties", ())).get("simulated", {}))
    if told:
        killed = [name for name in told if name.startswith("killed ")]
        kills = sum(told[name] for name in killed)
        terminalreporter.write_line(
            f"simulation: {told['seeds']} seeds, {told['days']} days, {told['files']} files,"
            f" {told['rows']} rows, {told['published']} snapshots; {kills} kills at"
            f" {len(killed)} places; {told['ms'] / 1000:.0f} s of processor time"
        )
