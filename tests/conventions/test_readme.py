"""What the README says is what is there."""

import csv
import re
from datetime import datetime
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


def test_the_explanation_it_shows_is_as_the_command_words_it() -> None:
    from zhongtai.cli import explanations
    from zhongtai.identity.explanations import Naming, Step
    from zhongtai.identity.references import parse_reference

    steps = re.findall(r"^  \d\. (\S+) and (\S+): (\w+) (\S+) \(priority (\d+)\)$", README, re.M)
    namings = re.findall(
        r"^       (\S+) named it (\d+) × (\S+)(?: … (\S+?))?(, proved to hold it)?$", README, re.M
    )
    assert len(steps) == 2
    assert len(namings) == 4
    for record, other, kind, value, weight in steps:
        left, right = parse_reference(record), parse_reference(other)
        step = Step(left, right, "identifier", kind, None, value, int(weight))
        assert f"{kind} {value} (priority {weight})" == explanations._step(step)
    for record, count, first, last, proved in namings:
        days = [datetime.fromisoformat(day) for day in (first, last or first)]
        naming = Naming(parse_reference(record), *days, int(count), bool(proved))
        shown = f"{record} named it {count} × {first}{f' … {last}' if last else ''}{proved}"
        assert explanations._naming(naming) == shown


def test_the_queue_it_shows_is_as_the_command_words_it() -> None:
    from zhongtai.identity import review_queue

    (pair,) = re.findall(r"^([0-9a-f]{12})  (\d\.\d{4})  (.+)$", README, re.M)
    assert pair[2] in review_queue._EXPLANATIONS.values()
    source = (ROOT / "src" / "zhongtai" / "cli" / "decisions.py").read_text("utf-8")
    assert re.search(r"^\d+ pairs wait for a decision, \d+ are shown$", README, re.M)
    assert "pairs wait for a decision, {len(queue.pairs):,} are shown" in source


def test_the_hold_it_shows_is_as_the_gate_words_it() -> None:
    from zhongtai.quality.drift.bands import Band
    from zhongtai.quality.drift.drivers import Driver
    from zhongtai.quality.drift.judgement import Deviation

    found = re.search(
        r"^(\S+) (\S+), expected (\S+) to (\S+) \(lately (\S+)\); driven by (\w+) (\S+) is on new"
        r" records: (\d+) \((\d+) over (\d+) such values\)$",
        README,
        re.M,
    )
    assert found
    measure, value, low, high, around, kind, masked, *counts = found.groups()
    band = Band(float(low), float(high), float(around))
    largest, size, values = map(int, counts)
    driver = Driver("brought", kind, values, size, largest, masked)
    assert found[0] == f"{Deviation(measure, float(value), band)}; driven by {driver}"
