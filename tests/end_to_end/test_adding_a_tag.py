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
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).parents[2]
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


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, for the socket of the embedded server, with a copy of the project in it."""
    made = Path(tempfile.mkdtemp(prefix="zt-"))
    for name in ("dbt_project", "expectations", "seeds"):
        shutil.copytree(
            PROJECT / name,
            made / "project" / name,
            ignore=shutil.ignore_patterns("target", "logs"),
        )
    yield made
    run(made, ["down", "--home", ".zhongtai"])
    shutil.rmtree(made, ignore_errors=True)


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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_tag_goes_from_its_declaration_to_the_published_column(folder: Path) -> None:
    run(folder, shlex.split("generate exports --people 60 --days 60 --seed 5 --out exports"))
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
    assert "夜间活跃" in said
    assert counts.keys() == {True, False}
    with duckdb.connect(folder / ".zhongtai" / "warehouse" / "build.duckdb") as connection:
        found = connection.execute(
            "with local as (select one_id, hour(occurred_at + interval 8 hour) as h"
            " from intermediate.int_events where occurred_at < timestamp '2026-04-30 16:00'"
            " and occurred_at >= timestamp '2026-03-01 16:00')"
            " select count(*) from (select one_id from local where one_id is not null"
            " group by one_id having count(*) filter (h >= 22) >= 2"
            " or count(*) filter (h <= 1) >= 2)"
        ).fetchone()
    assert found == (counts[True],)
    registry = (folder / "project" / "seeds" / "tag_versions.csv").read_text("utf-8")
    assert re.search(r"^night_owl,1,[0-9a-f]{12},published,李维,夜间推送分时段,", registry, re.M)


def test_the_page_has_each_step() -> None:
    languages = [language for language, _ in steps()]
    assert languages == ["yaml", "sh", "sh", "sh", "sql", "sh"]
