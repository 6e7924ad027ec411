"""docs/adding.md, followed word by word: from the declaration of a tag to the published column."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from zhongtai.build import run_step
from zhongtai.runs import Run
from zhongtai.settings import load_settings

PROJECT = Path(__file__).parents[2]
LISTED_AND_SELECTED = """
  - id: fleet_grade
    name: {zh: 车队等级, en: Grade of a fleet customer}
    description: 年度名单给出的车队客户等级。
    kind: import
    value_type: text
    status: published
    import: {from: seeds/tag_imports.csv}

  - id: days_seen
    name: {zh: 出现天数, en: Days seen}
    description: 有过线上行为的自然日天数。
    kind: sql
    value_type: integer
    status: published
    sql: select one_id, count(distinct happened_on) as value from events group by one_id
"""
# the text of a block, freed of the indent of its step
BLOCK = re.compile(r"^ {3}```(yaml|sh|sql)\n(.*?)^ {3}```$", re.M | re.S)


def steps() -> list[tuple[str, str]]:
    """The blocks of the section about tags, in the order of the page: (language, text)."""
    page = (PROJECT / "docs" / "adding.md").read_text("utf-8")
    section = page.split("\n# Adding a tag\n")[1].split("\n# ")[0]
    return [
        (language, re.sub(r"^ {3}", "", text, flags=re.M))
        for language, text in BLOCK.findall(section)
    ]


def run(folder: Path, arguments: list[str]) -> str:
    environment = {
        **os.environ,
        "ZHONGTAI_PROJECT_DIR": str(folder / "project"),
        "ZHONGTAI_HOME": str(folder / ".zhongtai"),
        "COLUMNS": "200",
    }
    done = subprocess.run(  # the commands of our own page
        [str(Path(sys.executable).parent / "zhongtai"), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@dataclass(frozen=True)
class Followed:
    """What following the page gave: the folder, the last words of the commands, its query's rows.

    `listed` are the keys of two contacts, of whom the list of grades says something: of the first
    for good, of the second until a day that is over.
    """

    folder: Path
    said: str
    counts: dict[bool | None, int]
    listed: tuple[str, str]

    def published(self, query: str) -> list[tuple[object, ...]]:
        file = self.folder / ".zhongtai" / "published" / "profiles" / "current.duckdb"
        with duckdb.connect(file, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def built(self, query: str) -> list[tuple[object, ...]]:
        file = self.folder / ".zhongtai" / "warehouse" / "build.duckdb"
        with duckdb.connect(file, read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def followed() -> Iterator[Followed]:
    """The page followed in a copy of the project, beside a select and a list of other tags.

    The path is short, for the socket of the embedded server.
    """
    folder = Path(tempfile.mkdtemp(prefix="zt-"))
    try:
        for name in ("dbt_project", "expectations", "seeds"):
            shutil.copytree(
                PROJECT / name,
                folder / "project" / name,
                ignore=shutil.ignore_patterns("target", "logs"),
            )
        run(folder, shlex.split("generate exports --people 60 --days 60 --seed 5 --out exports"))
        listed = declare_list_and_select(folder)
        yield Followed(folder, *follow(folder), listed)
    finally:
        run(folder, ["down", "--home", ".zhongtai"])
        shutil.rmtree(folder, ignore_errors=True)


def declare_list_and_select(folder: Path) -> tuple[str, str]:
    """Declare a tag that a list sets and one that a select computes; the contacts of the list."""
    records = folder / "exports" / "truth" / "records.parquet"
    first, second = duckdb.execute(
        "select record_key from read_parquet(?) where entity = 'contacts' and not is_erased"
        " and person_id is not null qualify row_number() over (partition by person_id) = 1"
        " order by record_key limit 2",
        [str(records)],
    ).fetchall()
    seeds = folder / "project" / "seeds"
    with (seeds / "tags" / "manual.yml").open("a", encoding="utf-8") as group:
        group.write(LISTED_AND_SELECTED)
    with (seeds / "tag_imports.csv").open("a", encoding="utf-8") as rows:
        rows.write(f"fleet_grade,crm,contacts,{first[0]},金,李维,年度名单,2026-04-01,\n")
        rows.write(f"fleet_grade,crm,contacts,{second[0]},银,李维,旧名单,2026-03-01,2026-04-15\n")
    return str(first[0]), str(second[0])


def follow(folder: Path) -> tuple[str, dict[bool | None, int]]:
    """Do what the page says: what the last command said, and the rows of its query."""
    said, counts = "", {}
    for language, text in steps():
        if language == "yaml":
            group = folder / "project" / "seeds" / "tags" / "activity.yml"
            group.write_text(group.read_text("utf-8") + "\n" + text, "utf-8")
        elif language == "sh":
            command, *arguments = shlex.split(textwrap.dedent(text))
            assert command == "zhongtai"
            said = run(folder, arguments)
        else:
            file = folder / ".zhongtai" / "published" / "profiles" / "current.duckdb"
            with duckdb.connect(file, read_only=True) as connection:
                counts = dict(connection.execute(text).fetchall())
    return said, counts


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_tag_goes_from_its_declaration_to_the_published_column(followed: Followed) -> None:
    assert "夜间活跃" in followed.said
    assert followed.counts.keys() == {True, False}
    found = followed.built(
        "with local as (select one_id, hour(occurred_at + interval 8 hour) as h"
        " from intermediate.int_events where occurred_at < timestamp '2026-04-30 16:00'"
        " and occurred_at >= timestamp '2026-03-01 16:00')"
        " select count(*) from (select one_id from local where one_id is not null"
        " group by one_id having count(*) filter (h >= 22) >= 2"
        " or count(*) filter (h <= 1) >= 2)"
    )
    assert found == [(followed.counts[True],)]
    registry = (followed.folder / "project" / "seeds" / "tag_versions.csv").read_text("utf-8")
    assert re.search(r"^night_owl,1,[0-9a-f]{12},published,李维,夜间推送分时段,", registry, re.M)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_list_sets_its_tag_until_it_ends(followed: Followed) -> None:
    holders = followed.published(
        "select record_key, fleet_grade from dim_user_tags join bridge_user_records using (one_id)"
        " where entity = 'contacts' and fleet_grade is not null order by record_key"
    )
    assert (followed.listed[0], "金") in holders
    assert {grade for _, grade in holders} == {"金"}
    assert followed.listed[1] not in {key for key, _ in holders}
    (row,) = followed.published(
        "select value, source, valid_to from fct_user_tags where tag_id = 'fleet_grade'"
    )
    assert row == ("金", "import", None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_select_gives_each_person_its_answer(followed: Followed) -> None:
    expected = followed.built(
        "select one_id, count(distinct cast(occurred_at + interval 8 hour as date))"
        " from intermediate.int_events"
        " where one_id is not null and occurred_at < timestamp '2026-04-30 16:00'"
        " and one_id in (select one_id from profiles.dim_users) group by one_id order by one_id"
    )
    assert len(expected) > 20
    found = followed.published(
        "select one_id, days_seen from dim_user_tags where days_seen is not null order by one_id"
    )
    assert found == expected


def compute_tags(followed: Followed, *changes: str) -> dict[str, list[tuple[object, ...]]]:
    """The step that computes tags, four hours after the run; the rows of each table of tags."""
    settings = load_settings(
        home=followed.folder / ".zhongtai",
        project_dir=followed.folder / "project",
        threads=2,
    )
    as_of = datetime(2026, 4, 30, 20, tzinfo=UTC)
    with duckdb.connect(settings.warehouse_file) as build:
        for change in (*changes, f"update meta.run_context set as_of = timestamp '{as_of:%F %T}'"):
            build.execute(change)
        ((run_id,),) = build.execute("select run_id from meta.run_context").fetchall()
    run_step(settings, Run(run_id, "run", as_of, as_of), "tags")
    with duckdb.connect(settings.warehouse_file, read_only=True) as build:
        tables = build.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where table_name = 'dim_user_tags' or (table_name like 'int_tags__%'"
            " and table_name <> 'int_tags__stale' and table_name not like '%gathered%')"
        ).fetchall()
        return {
            name: sorted(build.execute(f"from {name}").fetchall(), key=repr) for (name,) in tables
        }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_hours_later_dbt_computes_few_persons_anew_and_all_tags_are_right(
    followed: Followed,
) -> None:
    (some,) = followed.built("select max(one_id) from profiles.dim_user_tags where days_seen > 2")
    kept = compute_tags(
        followed,
        "update intermediate.int_events set occurred_at = timestamp '2026-04-30 19:00'"
        f" where one_id = '{some[0]}'",
    )
    stale = followed.built("select distinct one_id from intermediate.int_tags__stale")
    persons = len(kept["profiles.dim_user_tags"])
    assert some in stale
    assert len(stale) < persons / 4
    whole = compute_tags(followed, "delete from tags.computed_models")
    assert followed.built("select count(*) from intermediate.int_tags__stale") == [(0,)]
    assert len(whole) > 30
    assert [name for name in whole if kept[name] != whole[name]] == []


def test_the_page_has_each_step() -> None:
    languages = [language for language, _ in steps()]
    assert languages == ["yaml", "sh", "sh", "sh", "sql", "sh"]
