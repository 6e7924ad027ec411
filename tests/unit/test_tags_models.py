"""What the compiled tags say about people, run on DuckDB without dbt."""

import re
from pathlib import Path

import pytest
from tag_cases import PROJECT, World, people, tag, views

from zhongtai.tags import load_tags, render_models


def test_more_than_ten_views_of_one_series_and_a_finance_click(tmp_path: Path) -> None:
    declared = (PROJECT / "seeds" / "tags" / "intent.yml").read_text("utf-8")
    rule = re.search(r"  - id: intent_10_views_and_finance\n.*?\n\n", declared, re.S)
    assert rule
    world = World(tmp_path, rule.group(0))
    world.add("dim_users", people("hit", "ten", "spread", "no_click", "old_click", "never"))
    eleven = [f"2026-03-{day:02} 10:00:00" for day in range(10, 21)]
    for one_id in ("hit", "no_click", "old_click"):
        world.add("int_events", views(one_id, "S1", eleven))
    world.add("int_events", views("ten", "S1", eleven[:10]))
    world.add("int_events", views("spread", "S1", eleven[:6]) + views("spread", "S2", eleven[6:]))
    clicks = [("hit", eleven[0]), ("ten", eleven[0]), ("spread", eleven[0])]
    clicks.append(("old_click", "2026-02-01 10:00:00"))
    for one_id, at in clicks:
        world.add("int_events", views(one_id, "S9", [at], "click_finance"))
    values = world.values()
    assert [u for u, v in values.items() if v["intent_10_views_and_finance"]] == ["hit"]
    assert len(values) == 6


def test_a_window_is_half_open_and_ends_at_as_of(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        tag("seen", "metric", "integer", "measure: {take: count, fact: events, within_days: 30}"),
    )
    world.add("dim_users", people("first_moment", "just_before", "at_as_of", "future"))
    times = {
        "first_moment": "2026-03-01 16:00:00",
        "just_before": "2026-03-01 15:59:59",
        "at_as_of": "2026-03-31 16:00:00",
        "future": "2026-04-01 00:00:00",
    }
    for one_id, at in times.items():
        world.add("int_events", views(one_id, "S1", [at]))
    seen = {one_id: v["seen"] for one_id, v in world.values().items()}
    assert seen == {"first_moment": 1, "just_before": 0, "at_as_of": 0, "future": 0}


def test_at_most_counts_who_never_did_it_and_at_most_if_any_does_not(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        tag("few", "rule", "boolean", "rule: {did: events, times: {at_most: 1}}")
        + tag("few_but_some", "rule", "boolean", "rule: {did: events, times: {at_most_if_any: 1}}")
        + tag("never", "rule", "boolean", "rule: {did_not: events}"),
    )
    world.add("dim_users", people("none", "once", "twice"))
    world.add("int_events", views("once", "S1", ["2026-03-01"]))
    world.add("int_events", views("twice", "S1", ["2026-03-01", "2026-03-02"]))
    values = world.values()
    assert {u for u, v in values.items() if v["few"]} == {"none", "once"}
    assert {u for u, v in values.items() if v["few_but_some"]} == {"once"}
    assert {u for u, v in values.items() if v["never"]} == {"none"}


@pytest.mark.parametrize(("tie", "preferred"), [("latest", "S1"), ("alphabetical", "S0")])
def test_a_preference_breaks_ties_as_declared(tmp_path: Path, tie: str, preferred: str) -> None:
    body = f"prefer: {{fact: events, of: series_code, at_least: 2, tie: {tie}}}"
    world = World(tmp_path, tag("series", "preference", "text", body))
    world.add("dim_users", people("equal", "clear", "too_few"))
    early, late = ["2026-03-01", "2026-03-02"], ["2026-03-03", "2026-03-04"]
    world.add("int_events", views("equal", "S0", early) + views("equal", "S1", late))
    world.add("int_events", views("clear", "S7", [*early, *late]) + views("clear", "S1", late))
    world.add("int_events", views("too_few", "S1", early[:1]))
    chosen = {one_id: v["series"] for one_id, v in world.values().items()}
    assert chosen == {"equal": preferred, "clear": "S7", "too_few": None}


def test_a_rule_takes_the_first_value_that_holds_and_a_lifecycle_the_last(tmp_path: Path) -> None:
    layers = (
        "  - {value: 一, when: {did: events}}\n  - {value: 二, when: {did: leads}}\notherwise: 无"
    )
    world = World(
        tmp_path,
        tag("ruled", "rule", "text", f"values:\n{layers}")
        + tag("staged", "lifecycle", "text", f"stages:\n{layers}"),
    )
    world.add("dim_users", people("both", "neither"))
    world.add("int_events", views("both", "S1", ["2026-03-01"]))
    world.add("int_leads", [{"one_id": "both", "created_at": "2026-03-01", "is_test": False}])
    values = world.values()
    assert values["both"] == {"ruled": "一", "staged": "二"}
    assert values["neither"] == {"ruled": "无", "staged": "无"}


def test_an_exclusive_group_gives_a_person_the_first_tag_only(tmp_path: Path) -> None:
    group = "exclusive_group: g"
    world = World(
        tmp_path,
        tag("strong", "rule", "boolean", "rule: {did: events, times: {at_least: 2}}", group)
        + tag("weak", "rule", "boolean", "rule: {did: events}", group)
        + tag("any_one", "composite", "boolean",
              "rule:\n  any: [{tag: strong, is: true}, {tag: weak, is: true}]"),
    )  # fmt: skip
    world.add("dim_users", people("twice", "once", "never"))
    world.add("int_events", views("twice", "S1", ["2026-03-01", "2026-03-02"]))
    world.add("int_events", views("once", "S1", ["2026-03-01"]))
    assert world.values() == {
        "twice": {"strong": True, "weak": False, "any_one": True},
        "once": {"strong": False, "weak": True, "any_one": True},
        "never": {"strong": False, "weak": False, "any_one": False},
    }


def test_bands_and_days_count_local_days(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        tag("days", "metric", "integer", "measure: {take: days_since_last, fact: events}")
        + tag("band", "metric", "text",
              "measure: {take: active_days, fact: events}\nbands:\n"
              "  - {value: 无, at_most: 0}\n  - {value: 少, at_most: 1}\n  - {value: 多}")
        + tag("unknown_band", "metric", "text",
              "measure: {take: days_since_last, fact: events}\nbands:\n"
              "  - {value: 近, at_most: 30}\notherwise: 从未"),
    )  # fmt: skip
    world.add("dim_users", people("night", "day", "never"))
    # 15:30 and 16:30 UTC are two days in China; as-of is midnight there, on 1 April
    world.add("int_events", views("night", "S1", ["2026-03-30 15:30", "2026-03-30 16:30"]))
    world.add("int_events", views("day", "S1", ["2026-03-30 01:00", "2026-03-30 15:00"]))
    assert world.values() == {
        "night": {"days": 1, "band": "多", "unknown_band": "近"},
        "day": {"days": 2, "band": "少", "unknown_band": "近"},
        "never": {"days": None, "band": "无", "unknown_band": "从未"},
    }


def test_the_first_touch_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    body = "measure: {take: first, of: channel_1, fact: leads, where: {is_test: false}}"
    rows = [
        {"one_id": "a", "created_at": "2026-03-02", "channel_1": "后", "is_test": False},
        {"one_id": "a", "created_at": "2026-03-01", "channel_1": "乙", "is_test": False},
        {"one_id": "a", "created_at": "2026-03-01", "channel_1": "丙", "is_test": False},
        {"one_id": "a", "created_at": "2026-02-01", "channel_1": "测试", "is_test": True},
        {"one_id": "a", "created_at": "2026-02-01", "channel_1": None, "is_test": False},
    ]
    found = []
    for number, ordered in enumerate((rows, rows[::-1])):
        world = World(tmp_path / str(number), tag("touch", "first_last", "text", body))
        world.add("dim_users", people("a"))
        world.add("int_leads", ordered)
        found.append(world.values()["a"]["touch"])
    assert found == [min("乙", "丙")] * 2


def test_what_is_unknown_does_not_hold_and_its_negation_does(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        tag("owner", "rule", "boolean", "rule: {profile: is_owner, is: true}")
        + tag("not_owner", "rule", "boolean", "rule:\n  not: {profile: is_owner, is: true}")
        + tag("phone", "rule", "boolean", "rule: {profile: mobile, known: true}"),
    )
    world.add("dim_users", [{"one_id": "a", "is_owner": None, "mobile": None}])
    assert world.values()["a"] == {"owner": False, "not_owner": True, "phone": False}


def test_false_and_unknown_values_are_not_held(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        tag("active", "rule", "boolean", "rule: {did: events}")
        + tag("days", "metric", "integer", "measure: {take: days_since_last, fact: events}"),
    )
    world.add("dim_users", people("a", "b"))
    world.add("int_events", views("a", "S1", ["2026-03-31 01:00"]))
    assert world.held() == {("a", "active", "true"), ("a", "days", "1")}


def test_each_fact_table_is_scanned_once_by_each_shape_of_statement() -> None:
    models = render_models(load_tags(PROJECT))
    scans = [
        text for path, text in models.items() if path.suffix == ".sql" and "facts as (" in text
    ]
    assert len(scans) >= 10
    for text in scans:
        body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        read = re.findall(r"ref\('(?:int|bridge)_\w+'\)", body)
        assert read, "a sequence may read several fact tables, each once"
        assert len(read) == len(set(read))
    grains = [text.splitlines()[0] for text in scans if "ref('int_events')" in text]
    assert len(grains) == len(set(grains))
    plain = {g for g in grains if "events_by_" not in g}
    assert len(plain) == 3, "one plain scan of events, one ordered, one for sequences"


def test_a_text_cannot_leave_its_literal(tmp_path: Path) -> None:
    body = "rule: {did: events, where: {event: \"x' or '1'='1 {{ as_of() }}\"}}"
    world = World(tmp_path, tag("odd", "rule", "boolean", body))
    world.add("dim_users", people("a", "b"))
    world.add("int_events", views("a", "S1", ["2026-03-01"]))
    world.add("int_events", views("b", "S1", ["2026-03-01"], "x' or '1'='1 {{ as_of() }}"))
    assert {u for u, v in world.values().items() if v["odd"]} == {"b"}
