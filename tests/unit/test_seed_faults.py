"""A wrong seed is told with file and line, or with the row that breaks its rule."""

import codecs
import csv
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from staging_project import copy_skeleton
from zhongtai import warehouse
from zhongtai.contracts import load_contracts
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError
from zhongtai.identity.declaration import load_declaration
from zhongtai.ingest.rules import read_null_words
from zhongtai.restatements.settling import load_settling
from zhongtai.runs import start_run
from zhongtai.seed_faults import check_seeds
from zhongtai.settings import Settings, load_settings
from zhongtai.transform import run_dbt

SEEDS = Path(__file__).parents[2] / "seeds"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "seeds").mkdir(parents=True)
    for file in (*SEEDS.glob("*.csv"), *SEEDS.glob("*.yml")):
        shutil.copy(file, folder / "seeds")
    return folder


def change(project: Path, seed: str, old: str, new: str) -> None:
    file = project / "seeds" / f"{seed}.csv"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_the_seeds_of_the_repository_are_as_declared_every_column_with_its_type(
    project: Path,
) -> None:
    with duckdb.connect() as build:
        check_seeds(build, project)
    typed = 0
    for document in SEEDS.glob("*.yml"):
        for seed in yaml.safe_load(document.read_text("utf-8"))["seeds"]:
            with (SEEDS / f"{seed['name']}.csv").open(encoding="utf-8", newline="") as file:
                assert next(csv.reader(file)) == list(seed["config"]["column_types"])
            typed += 1
    assert typed >= 35


def test_seeds_may_begin_as_spreadsheets_save_them(project: Path) -> None:
    for file in (project / "seeds").glob("*.csv"):
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    with duckdb.connect() as build:
        check_seeds(build, project)
    assert read_null_words(project) == read_null_words(SEEDS.parent)
    assert load_settling(project) == load_settling(SEEDS.parent)
    assert load_declaration(project).types == load_declaration(SEEDS.parent).types


@pytest.mark.parametrize(
    ("seed", "old", "new", "expected"),
    [
        # dbt would load it under the wrong name, and no limit would hold
        ("identifiers", "max_holders", "holders", ".csv:1: the columns are"),
        ("identifiers", "id_card,edge,single,,3", "id_card,edge,single,,x", ".csv:2: max_holders"),
        ("holidays", "2024-01-01", "2024-13-01", ".csv:2: date is '2024-13-01', expected a date"),
        ("holidays", "notice\n", "notice,twice\n", ".csv:2: 4 fields, expected 3"),
        ("commission_rates", ",false,", ",perhaps,", "'perhaps', expected true or false"),
    ],
)
def test_a_seed_of_another_form_is_told_with_its_line(
    project: Path, seed: str, old: str, new: str, expected: str
) -> None:
    change(project, seed, old, new)
    with duckdb.connect() as build, pytest.raises(ConfigurationError) as raised:
        check_seeds(build, project)
    assert f"{seed}{expected}" in raised.value.message or expected in raised.value.message
    assert f"seeds/{seed}.csv:" in raised.value.message
    assert f"{seed}.yml" in raised.value.hint


def test_words_without_their_column_are_told_before_anything_is_taken_in(project: Path) -> None:
    assert read_null_words(project)
    change(project, "null_words", "word", "wort")
    with pytest.raises(ConfigurationError, match=r"null_words\.csv:1: expected a column word"):
        read_null_words(project)


def test_a_seed_that_is_no_text_is_told(project: Path) -> None:
    file = project / "seeds" / "holidays.csv"
    file.write_bytes(b"\xff" + file.read_bytes())
    with (
        duckdb.connect() as build,
        pytest.raises(ConfigurationError, match=r"holidays\.csv:1: it is no CSV in UTF-8"),
    ):
        check_seeds(build, project)


def test_a_broken_rule_of_a_seed_is_wrong_configuration_and_shows_what_breaks_it(
    tmp_path: Path, settings: Settings
) -> None:
    project = copy_skeleton(tmp_path / "project")
    shutil.copytree(SEEDS.parent / "expectations", project / "expectations")
    small = load_settings(
        home=settings.home,
        project_dir=project,
        database_url=settings.database_url.get_secret_value(),
    )
    contracts = load_contracts(project)
    with connect(small) as connection:
        run = start_run(connection, "test")
    edits = [
        ("identifiers", "id_card,edge", "id_card,egde", "status is 'egde', expected one of edge"),
        ("identifiers", "unionid,edge,single", "unionid,edge,", "values_per_person is empty"),
        ("tenure_stages", "0-6m", "6m-2y", "'6m-2y' stands more than once"),
        (
            "commission_rates",
            "first_deal,10,100",
            "first_deal,10,0",
            "which is not so in component",
        ),
    ]
    for file in (f"{seed}.{suffix}" for seed, *_ in edits for suffix in ("csv", "yml")):
        shutil.copy(SEEDS / file, project / "seeds")
    for seed, old, new, _ in edits:
        change(project, seed, old, new)
    warehouse.prepare(small, contracts, run)
    with pytest.raises(ConfigurationError) as raised:
        run_dbt(small, run, "staging")
    for seed, _, _, expected in edits:
        assert f"{project}/seeds/{seed}.csv: " in raised.value.message
        assert expected in raised.value.message
