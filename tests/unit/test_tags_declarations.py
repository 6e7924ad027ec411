"""Declared tags: what the repository declares, and what a wrong declaration is told."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings, load_settings
from zhongtai.tags import load_tags, stale_models, write_models
from zhongtai.tags.facts import FACTS, PROFILE
from zhongtai.tags.lineage import sources_of
from zhongtai.tags.versions import tag_version

PROJECT = Path(__file__).resolve().parents[2]

GOOD = """\
group: trial
title: 试验
owner: 测试
tags:
  - id: first_tag
    name: {zh: 一, en: One}
    description: 第一个。
    kind: rule
    value_type: boolean
    status: published
    rule: {did: events, where: {event: view_series}, within_days: 30, times: {more_than: 10}}
"""


def project_with(tmp_path: Path, *groups: str) -> Path:
    folder = tmp_path / "seeds" / "tags"
    folder.mkdir(parents=True)
    for number, text in enumerate(groups):
        name = "trial" if number == 0 else f"trial{number}"
        (folder / f"{name}.yml").write_text(text.replace("group: trial", f"group: {name}"), "utf-8")
    return tmp_path


def tag(tag_id: str, body: str) -> str:
    """One more tag for GOOD, with its own body lines."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return (
        f"  - id: {tag_id}\n    name: {{zh: 名, en: Name}}\n    description: 说明。\n"
        f"    status: published\n{lines}"
    )


def test_the_repository_declares_tags_over_every_source_with_customers() -> None:
    tags = load_tags(PROJECT)
    assert len(tags.published) >= 15
    sources = {source for t in tags.published for source in sources_of(t, tags)}
    expected = {s for fact in FACTS.values() for s in fact.source.split(", ")}
    assert sources >= expected - {"seeds.tag_imports"}
    assert "intent_10_views_and_finance" in tags


def test_values_that_change_by_the_day_are_kept_for_a_month_unless_said(tmp_path: Path) -> None:
    days = "kind: metric\nmeasure: {take: days_since_last, fact: events}\nvalue_type: "
    mix = "kind: distribution\nvalue_type: shares\ndistribution: {fact: events, of: source}"
    project = project_with(
        tmp_path,
        GOOD
        + tag("days", f"{days}integer")
        + tag("banded", f"{days}text\nbands: [{{value: 近, at_most: 30}}, {{value: 远}}]")
        + tag("asked_for", f"{days}integer\nhistory_days: 90")
        + tag("mix", mix)
        + tag("number", "kind: metric\nvalue_type: integer\nmeasure: {take: count, fact: orders}"),
    )
    kept = {tag_id: found.history_days for tag_id, found in load_tags(project).items()}
    expected = {"days": 31, "banded": 400, "asked_for": 90, "mix": 31, "number": 400}
    assert {tag_id: kept[tag_id] for tag_id in expected} == expected


def test_a_tag_that_people_set_has_no_rule(tmp_path: Path) -> None:
    body = "kind: manual\nvalue_type: {type}\n{more}"
    good = GOOD + tag("by_hand", body.format(type="text", more=""))
    assert load_tags(project_with(tmp_path / "good", good))["by_hand"].is_manual
    wrong = {
        "a tag of kind manual has no 'rule'": ("boolean", "rule: {has: mobile}"),
        "is text, value_type says integer": ("integer", ""),
    }
    for number, (expected, (kind, more)) in enumerate(wrong.items()):
        text = GOOD + tag("by_hand", body.format(type=kind, more=more))
        with pytest.raises(ConfigurationError, match=expected):
            load_tags(project_with(tmp_path / str(number), text))


def test_generated_models_are_what_the_declarations_say() -> None:
    settings = load_settings(project_dir=PROJECT)
    stale = [str(file.relative_to(PROJECT)) for file in stale_models(settings)]
    assert stale == [], "run `zhongtai generate tags`"


def test_a_changed_declaration_makes_its_models_stale_until_they_are_written(
    tmp_path: Path,
) -> None:
    shutil.copytree(PROJECT / "seeds" / "tags", tmp_path / "seeds" / "tags")
    settings: Settings = load_settings(project_dir=tmp_path)
    written = write_models(settings, "测试", "首次登记")
    assert len(written) >= 20
    assert stale_models(settings) == []
    file = tmp_path / "seeds" / "tags" / "origin.yml"
    file.write_text(file.read_text("utf-8").replace("of: source,", "of: dealer_code,"), "utf-8")
    stale = {path.name for path in stale_models(settings)}
    assert {"int_tags__events_ordered.sql", "dim_tags.sql"} <= stale
    (tmp_path / "seeds" / "tags" / "referral.yml").unlink()
    removed = [p for p in write_models(settings, "测试", "另一列") if not p.exists()]
    assert {"int_tags__referrals_made.sql", "int_tags__referrals_made.yml"} <= {
        p.name for p in removed
    }
    assert stale_models(settings) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("kind: rule", "kind: rulez", 8, "kind is 'rulez', expected one of rule, lifecycle"),
        ("did: events", "did: event", 11, "did is 'event', expected one of events, leads"),
        ("event: view_series", "evnet: view_series", 11, "unknown 'evnet', expected one of"),
        ("event: view_series", "event: 7", 11, "'event' is 7, expected a text"),
        ("more_than: 10", "more_than: ten", 11, "'more_than' is 'ten', expected an integer"),
        ("more_than: 10", "over: 10", 11, "unknown 'over'"),
        ("{more_than: 10}", "{more_than: 10, at_most: 20}", 11, "found more_than and at_most"),
        ("within_days: 30", "within_days: 0", 11, "'within_days' must be 1 or more"),
        ("id: first_tag", "id: First Tag", 5, "'First Tag' is no id"),
        ("{zh: 一, en: One}", "{zh: 一}", 6, "'en' is missing"),
        ("value_type: boolean", "value_type: text", 9, "is boolean, value_type says text"),
        ("status: published", "status: live", 10, "status is 'live', expected one of draft"),
        ("rule: {did: events", "rule: {sql: x, did: events", 11, "unknown 'sql'"),
        ("description: 第一个。", "descripton: 第一个。", 7, "unknown 'descripton'"),
        ("rule: {did: events, where", "rule: {where", 11, "with exactly one of all, any, not"),
        ("group: trial", "group: other", 1, "group is 'other', the file is trial.yml"),
    ],
)
def test_a_wrong_declaration_is_told_where_and_what_was_expected(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    assert old in GOOD
    folder = tmp_path / "seeds" / "tags"
    folder.mkdir(parents=True)
    (folder / "trial.yml").write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_tags(tmp_path)
    assert f"trial.yml:{line}: " in str(error.value)
    assert told in str(error.value)
    assert "seeds/tags" in error.value.hint


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "kind: rule\nvalue_type: boolean\nrule: {profile: mobile, is: '+8613912345678'}",
            "mobile is personal data",
        ),
        (
            "kind: composite\nvalue_type: boolean\nrule: {tag: nowhere, is: true}",
            "reads nowhere, which is declared nowhere",
        ),
        (
            "kind: rule\nvalue_type: boolean\nrule: {tag: first_tag, is: true}",
            "declare it with kind composite",
        ),
        (
            "kind: composite\nvalue_type: boolean\nrule: {did: events}",
            "a composite reads other tags only",
        ),
        (
            "kind: composite\nvalue_type: boolean\nrule: {tag: first_tag, is: 高}",
            "compares first_tag (boolean) with '高'",
        ),
        (
            "kind: composite\nvalue_type: boolean\nrule: {tag: second_tag, is: true}",
            "waits for itself",
        ),
        (
            "kind: metric\nvalue_type: text\nmeasure: {take: count, fact: events}\n"
            "bands:\n  - {value: 低, at_most: 5}\n  - {value: 高, at_most: 5}",
            "bands go from the lowest up",
        ),
        (
            "kind: metric\nvalue_type: integer\nmeasure: {take: sum, fact: events}",
            "'sum' needs 'of'",
        ),
        (
            "kind: metric\nvalue_type: integer\nmeasure: {take: sum, of: event, fact: events}",
            "needs a number, event is a text",
        ),
        (
            "kind: preference\nvalue_type: text\nprefer: {fact: events, of: series_code}",
            "'tie' is missing",
        ),
        (
            "kind: rule\nvalue_type: text\nvalues:\n  - {value: 甲, when: {did: events}}\n"
            "  - {value: 甲, when: {did: leads}}",
            "gives a value twice",
        ),
        (
            "kind: rule\nvalue_type: text\nexclusive_group: g\n"
            "values:\n  - {value: 甲, when: {did: events}}",
            "only boolean tags can be in an exclusive group",
        ),
        (
            "kind: lifecycle\nvalue_type: text\nrule: {did: events}",
            "a tag of kind lifecycle needs stages",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_refused(tmp_path: Path, body: str, told: str) -> None:
    project = project_with(tmp_path, GOOD + tag("second_tag", body))
    with pytest.raises(ConfigurationError, match=r"trial\.yml:\d+: ") as error:
        load_tags(project)
    assert told in str(error.value)


def test_an_id_is_given_once_over_all_groups(tmp_path: Path) -> None:
    project = project_with(tmp_path, GOOD, GOOD)
    with pytest.raises(ConfigurationError, match="ids are never reused"):
        load_tags(project)


def test_a_published_tag_may_not_read_one_that_is_not(tmp_path: Path) -> None:
    draft = GOOD.replace("status: published", "status: draft")
    reader = tag(
        "second_tag", "kind: composite\nvalue_type: boolean\nrule: {tag: first_tag, is: true}"
    )
    with pytest.raises(ConfigurationError, match="reads first_tag, which is draft"):
        load_tags(project_with(tmp_path, draft + reader))


def test_the_version_follows_the_rule_and_its_parents_but_not_the_words(tmp_path: Path) -> None:
    reader = tag(
        "second_tag", "kind: composite\nvalue_type: boolean\nrule: {tag: first_tag, is: true}"
    )

    def versions(name: str, text: str) -> dict[str, str]:
        tags = load_tags(project_with(tmp_path / name, text + reader))
        return {tag_id: tag_version(t, tags) for tag_id, t in tags.items()}

    before = versions("before", GOOD)
    reworded = versions("reworded", GOOD.replace("第一个。", "换一种说法。"))
    stricter = versions("stricter", GOOD.replace("more_than: 10", "more_than: 12"))
    assert reworded == before
    assert stricter["first_tag"] != before["first_tag"]
    assert stricter["second_tag"] != before["second_tag"]


def test_the_facts_have_the_columns_that_tags_may_ask_about() -> None:
    models = PROJECT / "dbt_project" / "models"
    for fact in FACTS.values():
        sql = next(models.rglob(f"{fact.model}.sql")).read_text("utf-8")
        words = set(re.findall(r"\w+", sql))
        assert {"one_id", fact.time, *fact.columns} - words == set(), fact.model
    users = yaml.safe_load(next(models.rglob("dim_users.yml")).read_text("utf-8"))["models"][0]
    described = {column["name"] for column in users["columns"]}
    read = {m for p in PROFILE.values() for m in re.findall(r"users\.(\w+)", p.sql)} - {"as_of"}
    assert len(read) >= 15
    assert read - described == set()
