"""Days of files, mishaps, crashes and decisions: what stands after each is what a model says.

`make simulate SEED=7` lives thirty days of one seed, `make faults` of several; here are a hundred
seeds of a few days.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_parts import IS_FULL
from simulated_days import Simulation
from simulated_product import Product, another_database, clear_database
from simulated_project import models_project, open_catalogue, small_project
from simulated_snapshots import Publication

from zhongtai.contracts import Contracts
from zhongtai.settings import load_settings

SEEDS, DAYS, PARTS = (500, 5, 20) if IS_FULL else (100, 2, 10)
# one in so many seeds is published too, and lived once more in peace
PUBLISHED = 100
ONE = os.environ.get("ZHONGTAI_SIMULATE_SEED", "")
LONG_SEEDS = [int(ONE)] if ONE else [1, 2] if IS_FULL else []
LONG_DAYS = int(os.environ.get("ZHONGTAI_SIMULATE_DAYS") or 30)
# never; short: published without the models of staging; models
PUBLISH = os.environ.get("ZHONGTAI_SIMULATE_PUBLISH") or "models"

Project = tuple[Path, Callable[[frozenset[str]], Contracts]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = small_project(tmp_path_factory.mktemp("project"))
    return project, open_catalogue(project, tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = models_project(tmp_path_factory.mktemp("models"))
    return project, open_catalogue(project, tmp_path_factory.mktemp("contracts"))


@dataclass
class Stage:
    """Where seeds are lived: each in an empty home and an empty database."""

    database_url: str
    home: Path
    figures: dict[str, int]

    def live(
        self, seed: int, days: int, publish: str, project: Project, *, is_disturbed: bool = True
    ) -> str:
        """Live the days of a seed; returns the hash of what is left at the end."""
        clear_database(self.database_url)
        if publish == "never":
            return self._live(self.database_url, seed, days, publish, project, is_disturbed)
        with another_database(self.database_url) as url:
            return self._live(url, seed, days, publish, project, is_disturbed)

    def _live(  # noqa: PLR0917
        self, url: str, seed: int, days: int, publish: str, project: Project, is_disturbed: bool
    ) -> str:
        started = sum(os.times()[:4])
        folder, catalogue = project
        settings = load_settings(
            home=self.home,
            database_url=url,
            project_dir=folder,
            stable_seconds=0,
            threads=1,
            archive=seed % 3 == 0,
        )
        product = Product(settings, catalogue(frozenset()))
        publication = None if publish == "never" else Publication(product, publish == "models")
        simulation = Simulation(seed, days, product, catalogue, is_disturbed, publication)
        # a seed of `make faults` is lived as it is there
        full = "ZHONGTAI_FAULTS=full " if IS_FULL and days == DAYS else ""
        simulation.how = f"{full}make simulate SEED={seed} DAYS={days} PUBLISH={publish}"
        if days > DAYS:
            simulation.files_a_day, simulation.publish_every = 5, 5 if days > 10 else 1
        simulation.run()
        content = product.content_hash()
        product.close()
        self._count(simulation, round((sum(os.times()[:4]) - started) * 1000))
        return content

    def _count(self, simulation: Simulation, milliseconds: int) -> None:
        """Add to what is told at the end, by a plain dict: it travels between processes."""
        entries = simulation.ledger.entries
        told = Counter({f"killed {name}": n for name, n in simulation.product.kills.items()})
        told.update(
            seeds=1,
            days=simulation.days,
            files=len(entries),
            rows=sum(len(entry.fates) for entry in entries),
            published=len(simulation.published.snapshots) if simulation.published else 0,
            ms=milliseconds,
        )
        for name, count in told.items():
            self.figures[name] = self.figures.get(name, 0) + count


@pytest.fixture
def stage(
    database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Stage:
    figures: dict[str, int] = {}
    record_property("simulated", figures)
    return Stage(database_url, tmp_path / "home", figures)


@pytest.mark.parametrize("part", range(PARTS))
def test_after_every_day_all_is_as_the_model_expects(
    part: int, stage: Stage, small: Project
) -> None:
    for seed in range(part, SEEDS, PARTS):
        if seed % PUBLISHED:
            stage.live(seed, DAYS, "never", small)
            continue
        disturbed = stage.live(seed, DAYS, "short", small)
        peaceful = stage.live(seed, DAYS, "short", small, is_disturbed=False)
        assert disturbed == peaceful, f"seed {seed} ends otherwise than without crashes"


@pytest.mark.parametrize("seed", LONG_SEEDS)
@pytest.mark.timeout(0)
def test_a_month_ends_as_it_would_have_in_peace(
    seed: int, stage: Stage, small: Project, request: pytest.FixtureRequest
) -> None:
    project = request.getfixturevalue("whole") if PUBLISH == "models" else small
    disturbed = stage.live(seed, LONG_DAYS, PUBLISH, project)
    peaceful = stage.live(seed, LONG_DAYS, PUBLISH, project, is_disturbed=False)
    assert disturbed == peaceful, f"seed {seed} ends otherwise than without crashes"
