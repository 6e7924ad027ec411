"""What the pages of docs/ name is there: settings, modules, facts, files, commands, links."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from zhongtai.cli import app
from zhongtai.settings import Settings
from zhongtai.tags.facts import FACTS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
# for dbt by hand; the product sets them itself
OWN = {"ZHONGTAI_WAREHOUSE_FILE", "ZHONGTAI_DBT_"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def code_of(text: str) -> list[str]:
    """What stands in backticks, and the lines of fenced blocks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*re.findall(r"`([^`\n]+)`", rest), *(x for block in fenced for x in block.splitlines())]


def test_one_table_has_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `(ZHONGTAI_\w+)` \| (.+?) \| .+ \|$", page("operations.md"), re.M)
    assert [name for name, _ in rows] == list(dict.fromkeys(name for name, _ in rows))
    told = dict(rows)
    assert set(told) == {f"ZHONGTAI_{name.upper()}" for name in Settings.model_fields}
    looked_at = 0
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, bool | int | float) or name in ("home", "log_level"):
            looked_at += 1
            default = str(field.default)
            shown = default.lower() if isinstance(field.default, bool) else default
            assert told[f"ZHONGTAI_{name.upper()}"] == f"`{shown}`"
    assert looked_at >= 10


def test_every_variable_that_is_read_is_told_and_no_other() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "src", "dags", "tests", "benchmarks", "dbt_project", "Makefile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    read = {
        name
        for file in listed
        if file.endswith((".py", ".yml", "Makefile"))
        for name in re.findall(
            r"(?:environ\S*|env_var\(|@|\s)[\"'(]*(ZHONGTAI_[A-Z_]+)[\"'=]",
            (ROOT / file).read_text("utf-8"),
        )
    }
    assert len(read) >= 20
    told = set(re.findall(r"ZHONGTAI_[A-Z_]+", page("operations.md") + page("reliability.md")))
    assert {name for name in read - told if not name.startswith("ZHONGTAI_DBT_")} == set()
    fields = {f"ZHONGTAI_{name.upper()}" for name in Settings.model_fields}
    assert told - read - fields - OWN == set()


def test_every_module_has_a_line_that_says_what_it_owns() -> None:
    table = page("architecture.md").split("## Who owns what", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE)
    told = [name for cell in named for name in re.findall(r"`(\w+)`", cell)]
    source = ROOT / "src" / "zhongtai"
    there = {file.stem for file in source.glob("*.py")} | {
        folder.name for folder in source.iterdir() if (folder / "__init__.py").exists()
    }
    assert sorted(told) == sorted(there - {"__init__", "migrations"})


def test_the_facts_that_tags_may_read_are_listed() -> None:
    (line,) = re.findall(r"^.*`zhongtai\.tags\.facts` lists them.*$", page("tags.md"), flags=re.M)
    assert re.findall(r"`(\w+)`", line.split("columns:", 1)[1]) == list(FACTS)


def test_links_lead_somewhere() -> None:
    links, wrong = 0, []
    for file in PAGES:
        text = re.sub(r"`[^`\n]*`", "", file.read_text("utf-8"))
        for link in re.findall(r"\]\((?!http)([^)\s]+)\)", text):
            links += 1
            path, _, anchor = link.partition("#")
            target = (file.parent / path) if path else file
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{file.name}: {link}")
    assert links >= 100
    assert wrong == []


def anchors(file: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_decision_is_listed_by_its_title_and_a_superseded_one_says_so() -> None:
    index = page("decisions/README.md")
    listed = dict(re.findall(r"^\| \[\d{4}\]\((.+?)\) \| (.+) \|$", index, flags=re.MULTILINE))
    assert sorted(listed) == [file.name for file in DECISIONS]
    for file in DECISIONS:
        text = file.read_text("utf-8")
        assert text.startswith(f"# {file.name[:4]} "), file.name
        superseded = re.search(r"^Superseded by \[(\d{4})\]", text, flags=re.MULTILINE)
        said = re.search(r"\(superseded by (\d{4})\)", listed[file.name])
        assert (superseded and superseded[1]) == (said and said[1]), file.name


# files that only a home, an example or a person's own project has
ELSEWHERE = re.compile(r"[<{*…]|vouchers|person\.svg|all\.zip|owners\.|calls\.")
PLACES = ("src/", "docs/", "tests/", "seeds/", "dbt_project/", "expectations/", "dags/")


def test_files_that_pages_name_are_there() -> None:
    named = {
        (file.name, word)
        for file in PAGES
        for code in code_of(file.read_text("utf-8"))
        for word in re.findall(r"[\w./*<>{…-]+", code)
        if word.startswith(PLACES) and not ELSEWHERE.search(word)
    }
    assert len(named) >= 40
    assert [(name, word) for name, word in sorted(named) if not (ROOT / word).exists()] == []


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and what follows it."""
    found: Any = typer.main.get_command(app)
    while words and words[0] in getattr(found, "commands", {}):
        found, words = found.commands[words[0]], words[1:]
    return found, words


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_commands_that_pages_name_exist_with_their_options(file: Path) -> None:
    for code in code_of(file.read_text("utf-8")):
        for told in re.findall(r"(?:^|\$ |\.venv/bin/)zhongtai ([a-z][^#|]*)", code):
            command, rest = find_command(told.split())
            is_group = bool(getattr(command, "commands", {}))
            assert not (is_group and rest and re.match(r"[a-z]", rest[0])), told
            known = {name for option in command.params for name in option.opts} | {"--help", "-h"}
            used = {word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)}
            assert used <= known, told
