"""What the README says is what is there."""

import csv
import re
from pathlib import Path

from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_it_lists_every_published_table_with_its_question() -> None:
    with (ROOT / "seeds" / "published_tables.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["table_name"].startswith("meta_")]
    listed = set(re.findall(r"^\| `(\w+)` \| (.+?) \|$", README, flags=re.MULTILINE))
    assert len(rows) >= 20
    assert listed == {(row["table_name"], row["question"]) for row in rows}


def test_its_commands_and_their_options_exist() -> None:
    from zhongtai.cli import app

    commands = re.findall(r"^\$ \.venv/bin/zhongtai (.+)$", README, flags=re.MULTILINE)
    assert len(commands) >= 3
    for command in commands:
        words = command.split()
        path = list(words[: words.index(next(w for w in words if w[0] == "-"))])
        shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, command
        for option in (word for word in words if word.startswith("--")):
            assert option in shown.output, f"{command}: {option}"


def test_its_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"make (\w+)", README)) - {"nothing"}
    assert {"demo", "test", "down"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_output_it_shows_is_what_the_command_says() -> None:
    source = (ROOT / "src" / "zhongtai" / "cli" / "steps.py").read_text("utf-8")
    shown = re.findall(r"^(published snapshot|nothing new: readers keep snapshot) ", README, re.M)
    assert len(shown) == 2
    for text in shown:
        assert f'say(f"{text} ' in source


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(links) >= 6
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []
