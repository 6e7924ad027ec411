"""The kinds of tags beyond rules: what each says of people whom one can check by hand."""

from pathlib import Path

import pytest
from tag_cases import World, declare, people, tag, views

from zhongtai.errors import ConfigurationError
from zhongtai.tags.plan import plan_scans

DAYS = [f"2026-03-{day:02} 04:00" for day in range(1, 31)]


def test_a_list_holds_every_value_that_is_frequent_enough(tmp_path: Path) -> None:
    body = "list: {fact: events, of: series_code, at_least: 2}"
    top = "list: {fact: events, of: series_code, top: 1}"
    world = World(
        tmp_path, tag("seen", "list", "list", body) + tag("favourite", "list", "list", top)
    )
    world.add("dim_users", people("a", "b"))
    world.add("int_events", views("a", "S9", DAYS[:2]) + views("a", "S1", DAYS[2:5]))
    world.add("int_events", views("a", "S5", DAYS[:1]))
    assert world.value("seen") == {"a": ["S1", "S9"], "b": None}
    assert world.value("favourite")["a"] == ["S1"]
    assert {row for row in world.held() if row[1] == "seen"} == {
        ("a", "seen", "S1"),
        ("a", "seen", "S9"),
    }


def test_a_distribution_has_the_shares_of_the_values_largest_first(tmp_path: Path) -> None:
    body = "distribution: {{fact: events, of: series_code, at_least: 3{}}}"
    world = World(
        tmp_path,
        tag("shares", "distribution", "shares", body.format(""))
        + tag("largest", "distribution", "shares", body.format(", top: 1")),
    )
    world.add("dim_users", people("a", "too_few"))
    world.add("int_events", views("a", "S1", DAYS[:1]) + views("a", 'S"2', DAYS[:2]))
    world.add("int_events", views("too_few", "S1", DAYS[:2]))
    assert world.value("shares") == {"a": '{"S\\"2":0.6667,"S1":0.3333}', "too_few": None}
    assert world.value("largest")["a"] == '{"S\\"2":0.6667}', "a cut changes no share"


def test_a_share_is_a_part_of_a_whole_that_is_large_enough(tmp_path: Path) -> None:
    body = "share: {fact: events, part: {event: view_config}, at_least: 2}"
    world = World(tmp_path, tag("configs", "share", "number", body))
    world.add("dim_users", people("a", "none_of_it", "too_few", "never"))
    world.add("int_events", views("a", "S1", DAYS[:3]) + views("a", "S1", DAYS[:1], "view_config"))
    world.add("int_events", views("none_of_it", "S1", DAYS[:2]))
    world.add("int_events", views("too_few", "S1", DAYS[:1], "view_config"))
    assert world.value("configs") == {
        "a": 0.25, "none_of_it": 0.0, "too_few": None, "never": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "passed"),
    [
        ("[{did: events, where: {event: a}}, {did: events, where: {event: b}}]", True),
        ("[{did: events, where: {event: b}}, {did: events, where: {event: a}}]", False),
        ("[{did: events, where: {event: a}}, {without: events, where: {event: x}},"
         " {did: events, where: {event: b}}]", False),
        ("[{did: events, where: {event: a}}, {without: events, where: {event: y}},"
         " {did: events, where: {event: b}}]", True),
        ("[{did: events, where: {event: a}},"
         " {did: events, where: {event: b}, within_days_of_previous: 3}]", False),
        ("[{did: events, where: {event: a}},"
         " {did: events, where: {event: b}, within_days_of_previous: 4}]", True),
        ("[{did: events, where: {event: b}}, {without: events, where: {event: y}}]", False),
        ("[{did: events, where: {event: b}},"
         " {without: events, where: {event: y}, for_days: 2}]", True),
        ("[{did: events, where: {event: b}},"
         " {without: events, where: {event: y}, for_days: 30}]", False),
        ("[{did: events, where: {event: a}}, {did: leads}]", True),
    ],
)  # fmt: skip
def test_a_sequence_goes_step_by_step(tmp_path: Path, steps: str, passed: bool) -> None:
    world = World(tmp_path, tag("path", "sequence", "boolean", f"sequence: {{steps: {steps}}}"))
    world.add("dim_users", people("u"))
    for event, day in (("a", 1), ("x", 3), ("b", 5), ("y", 9)):
        world.add("int_events", views("u", "S1", [DAYS[day]], event))
    world.add("int_leads", [{"one_id": "u", "created_at": DAYS[10]}])
    assert world.value("path") == {"u": passed}


def test_steps_of_the_same_moment_are_in_no_order(tmp_path: Path) -> None:
    steps = "[{did: events, where: {event: a}}, {did: events, where: {event: b}}]"
    world = World(tmp_path, tag("reached", "sequence", "integer", f"sequence: {{steps: {steps}}}"))
    world.add("dim_users", people("same", "later", "never"))
    for one_id, days in (("same", (0, 0)), ("later", (0, 1))):
        for event, day in zip("ab", days, strict=True):
            world.add("int_events", views(one_id, "S1", [DAYS[day]], event))
    assert world.value("reached") == {"same": 1, "later": 2, "never": 0}


def test_rfm_has_eight_classes_and_none_for_who_has_nothing(tmp_path: Path) -> None:
    body = (
        "rfm: {fact: events, money: amount_fen, cut_by: limits,"
        " cuts: {recency_days: 10, frequency: 2, money: 100}}"
    )
    world = World(tmp_path, tag("value", "rfm", "text", body))
    classes = {
        "重要价值": (DAYS[28:30], 50), "重要唤回": (DAYS[:2], 50), "重要深耕": (DAYS[29:], 100),
        "重要挽留": (DAYS[:1], 100), "潜力": (DAYS[28:30], 1), "一般维持": (DAYS[:2], 1),
        "新客": (DAYS[29:], 1), "流失": (DAYS[:1], 1),
    }  # fmt: skip
    world.add("dim_users", people(*classes, "nothing"))
    for one_id, (days, amount) in classes.items():
        rows = [{**row, "amount_fen": amount} for row in views(one_id, "S1", days)]
        world.add("int_events", rows)
    assert world.value("value") == {**{name: name for name in classes}, "nothing": None}


def test_a_control_group_keeps_its_people_when_it_grows_and_a_salt_makes_another(
    tmp_path: Path,
) -> None:
    body = "control: {{salt: {}, share: {}}}"
    world = World(
        tmp_path,
        tag("small", "control", "boolean", body.format("spring", 0.1))
        + tag("large", "control", "boolean", body.format("spring", 0.3))
        + tag("other", "control", "boolean", body.format("autumn", 0.3)),
    )
    world.add("dim_users", people(*(f"u_{n}" for n in range(400))))
    values = world.values()
    held = {name: {o for o, v in values.items() if v[name]} for name in ("small", "large", "other")}
    assert 20 <= len(held["small"]) <= 60
    assert 90 <= len(held["large"]) <= 150
    assert held["small"] < held["large"]
    assert 15 <= len(held["large"] & held["other"]) <= 60, "independent of each other"


def test_a_control_group_is_drawn_by_the_first_record_whatever_the_id(tmp_path: Path) -> None:
    def draw(folder: str, prefix: str) -> list[bool]:
        world = World(
            tmp_path / folder, tag("half", "control", "boolean", "control: {salt: s, share: 0.5}")
        )
        ids = [f"{prefix}{n}" for n in range(40)]
        world.add("dim_users", people(*ids))
        first = [{"one_id": o, "record": f"crm|leads|{n}"} for n, o in enumerate(ids)]
        world.add("int_users__first_records", first)
        drawn = world.value("half")
        return [drawn[one_id] for one_id in ids]

    assert draw("one", "u_a") == draw("other", "u_b")
    assert 5 <= sum(draw("third", "u_c")) <= 35


def test_a_select_sees_what_happened_before_as_of_and_nothing_personal(tmp_path: Path) -> None:
    body = (
        "sql: |\n  select one_id, count(*) as value from events\n"
        "  where happened_on >= cast(as_of as date) - 30 group by one_id"
    )
    world = World(tmp_path, tag("counted", "sql", "integer", body))
    world.add("dim_users", people("a", "b"))
    world.add("int_events", views("a", "S1", [*DAYS[:3], "2026-04-09 04:00"]))
    assert world.value("counted") == {"a": 3, "b": None}


@pytest.mark.parametrize(
    ("select", "told"),
    [
        ("select one_id, name as value from persons", "cannot be run"),
        ("select one_id, name as value from dim_users", "reads 'dim_users', allowed are events"),
        ("select one_id, content as value from read_text('/etc/hosts')", "read_text() as a table"),
        ("select one_id, event as value from 'x.parquet'", "reads 'x.parquet'"),
        ("delete from events", "cannot be read: Only SELECT"),
        ("select one_id, 1 as value from events; select 2", "one select only"),
        ("select one_id, now() as value from events", "now() differs between runs"),
        ("select one_id, random() as value from events", "random() differs between runs"),
        ("select one_id, current_date as value from events", "current_date differs"),
        ("select one_id, any_value(event) as value from events group by 1", "any_value()"),
        ("select one_id from events", "returns one_id; expected one_id (varchar) and value"),
        ("select one_id, event as value from events", "value is VARCHAR, value_type says integer"),
        ("select one_id, evnt as value from events", "cannot be run: Binder Error"),
        ("select one_id, 1 as value from events tablesample 10%", "a sample differs"),
        ("select one_id, '{{ x }}' as value from events", "plain SQL: no Jinja"),
    ],
)
def test_a_select_that_may_not_be_is_refused_before_anything_runs(
    tmp_path: Path, select: str, told: str
) -> None:
    text = tag("chosen", "sql", "integer", f'sql: "{select}"')
    with pytest.raises(ConfigurationError) as error:
        declare(tmp_path, text)
    assert told in str(error.value)
    assert "trial.yml:11: " in str(error.value)


def test_a_slot_for_scores_is_unknown_until_there_are_scores(tmp_path: Path) -> None:
    body = "predict: {model: purchase_90d, give: score}"
    declared = tag("likely", "predictive", "number", body)
    world = World(tmp_path, declared)
    world.add("dim_users", people("a"))
    assert world.value("likely") == {"a": None}
    model = tmp_path / "dbt_project" / "models" / "fct_user_scores.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1", "utf-8")
    scored = World(tmp_path, declared)
    scored.connection.execute(
        "create table fct_user_scores as select 'a' as one_id, 'purchase_90d' as model,"
        " 0.25 as score, '低' as band union all select 'a', 'other', 0.9, '高'"
    )
    scored.add("dim_users", people("a", "b"))
    assert scored.value("likely") == {"a": 0.25, "b": None}


@pytest.mark.parametrize(
    ("operator", "days", "expected"),
    [
        ("within_last_days", 1, {"yesterday", "today"}),
        ("within_next_days", 1, {"today", "tomorrow"}),
        ("longer_ago_than_days", 1, {"last_year", "leap_day"}),
        ("further_ahead_than_days", 0, {"tomorrow"}),
        ("anniversary_within_days", 1, {"last_year"}),
    ],
)
def test_dates_are_compared_by_local_days_from_as_of(
    tmp_path: Path, operator: str, days: int, expected: set[str]
) -> None:
    # as-of is the midnight that begins 1 April in China
    delivered = {
        "yesterday": "2026-03-30 16:00", "today": "2026-03-31 16:00",
        "tomorrow": "2026-04-02 15:00",
        "last_year": "2025-04-01 17:00", "leap_day": "2024-02-28 17:00",
    }  # fmt: skip
    body = f"rule: {{measure: last, of: delivered_at, fact: orders, {operator}: {days}}}"
    world = World(tmp_path, tag("found", "rule", "boolean", body))
    world.add("dim_users", people(*delivered, "unknown"))
    world.add(
        "int_orders",
        [
            {"one_id": o, "first_ordered_at": "2024-01-01", "delivered_at": at}
            for o, at in delivered.items()
        ],
    )
    assert {o for o, found in world.value("found").items() if found} == expected


def test_who_did_not_and_who_was_active_but_did_not_are_two_questions(tmp_path: Path) -> None:
    rest = "events, where: {event: click_finance}, within_days: 30}"
    world = World(
        tmp_path,
        tag("never", "rule", "boolean", f"rule: {{did_not: {rest}")
        + tag("active", "rule", "boolean", f"rule: {{did_not_although_active: {rest}"),
    )
    world.add("dim_users", people("clicked", "looked", "looked_long_ago", "nobody"))
    world.add("int_events", views("clicked", "S1", [DAYS[20]], "click_finance"))
    world.add("int_events", views("looked", "S1", [DAYS[20]]))
    world.add("int_events", views("looked_long_ago", "S1", ["2026-01-01"]))
    assert {o for o, v in world.value("never").items() if v} == {
        "looked", "looked_long_ago", "nobody",
    }  # fmt: skip
    assert {o for o, v in world.value("active").items() if v} == {"looked"}


def test_tags_that_ask_alike_share_what_is_measured(tmp_path: Path) -> None:
    rule = "rule: {did: events, within_days: 30, times: {at_least: %d}}"
    texts = [tag(f"tag_{n}", "rule", "boolean", rule % n) for n in range(1, 30)]
    (scan,) = plan_scans(declare(tmp_path, "".join(texts))).scans
    assert len(scan.columns) == 1


@pytest.mark.parametrize(
    ("kind", "value_type", "body", "told"),
    [
        ("rule", "boolean", "rule: {did: events, within_days: 3, since: 2026-01-01}",
         "one window only, found within_days and since"),
        ("rule", "boolean", "rule: {did: events, between_days_ago: [9, 3]}", "the smaller first"),
        ("rule", "boolean", "rule: {did: events, since: soon}", "expected a date such as"),
        ("rule", "boolean", "rule: {did_not_although_active: events}", "needs 'where'"),
        ("rule", "boolean", "rule: {profile: gender, within_last_days: 3}", "needs a date"),
        ("rule", "boolean", "rule: {profile: birth_date, at_least: 2000-01-01}", "personal data"),
        ("rule", "boolean", "rule: {profile: birth_date, anniversary_within_days: 400}",
         "from 0 to 364"),
        ("rule", "boolean", "rule: {did: leads, where: {visited_at: {within_last_days: 3}}}",
         "unknown 'within_last_days'"),
        ("sequence", "text", "sequence: {steps: [{did: events}, {did: leads}]}",
         "a sequence is boolean, integer, date"),
        ("sequence", "boolean", "sequence: {steps: [{did: events}]}", "at least two steps"),
        ("sequence", "boolean", "sequence: {steps: [{without: events}, {did: leads}]}",
         "the first step is a 'did'"),
        ("sequence", "integer", "sequence: {steps: [{did: events}, {without: leads}]}",
         "no 'without' after the last"),
        ("list", "text", "list: {fact: events, of: event}", "a tag of kind list is list"),
        ("list", "list", "list: {fact: leads, of: visited_at}", "no value that recurs"),
        ("distribution", "shares", "distribution: {fact: events, of: event, by: source}",
         "a sum needs a number"),
        ("share", "number", "share: {fact: events}", "'part' is missing"),
        ("rfm", "text", "rfm: {fact: events, money: amount_fen, cut_by: mean,"
         " cuts: {frequency: 1}}",
         "the means are computed"),
        ("rfm", "text", "rfm: {fact: events, money: amount_fen, cut_by: quantile,"
         " cuts: {recency: 2, frequency: 1, money: 1}}", "a quantile lies between 0 and 1"),
        ("control", "boolean", "control: {salt: a, share: 1.5}", "is at most 1"),
        ("control", "text", "control: {salt: a, share: 0.5}", "a text needs 'arms'"),
        ("control", "boolean", "control: {salt: 'a b', share: 0.5}", "is no salt"),
        ("predictive", "text", "predict: {model: m, give: score}", "the score is number"),
        ("import", "list", "import: {from: crm.manual_tags}", "a single value, not list"),
        ("import", "text", "import: {from: mail}", "expected one of crm.manual_tags"),
        ("metric", "text", "measure: {take: count, fact: events}\nbands:\n"
         "  - {value: 低, at_most: 3}\n  - {value: 高, at_most_quantile: 0.5}", "not at both"),
        ("rule", "boolean", "rule: {did: events}\nttl_days: 30", "is computed anew by every run"),
    ],
)  # fmt: skip
def test_a_declaration_that_means_nothing_is_told_why(
    tmp_path: Path, kind: str, value_type: str, body: str, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"trial\.yml:\d+: ") as error:
        declare(tmp_path, tag("wrong_one", kind, value_type, body))
    assert told in str(error.value)
