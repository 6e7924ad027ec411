"""The condition language: what it says, what it refuses, and bitmaps that agree with SQL."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from audience_cases import publish
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings, load_settings
from zhongtai.tags.bitmaps import count, members
from zhongtai.tags.condition_sql import condition_sql
from zhongtai.tags.conditions import Column, clauses, names_of, parse_condition
from zhongtai.tags.preview import Store, open_store

COLUMNS = {
    column.name: column
    for column in (
        Column("vip", "boolean"),
        Column("series", "text"),
        Column("days", "integer"),
        Column("spent", "number"),
        Column("seen_on", "date"),
        Column("models", "list"),
        Column("city", "text"),
        Column("mobile", "text", is_personal=True),
    )
}
TAGS = {"vip": bool, "series": str, "days": int, "spent": float, "seen_on": date, "models": list}


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("vip and", 8, "expected a tag or a column of the profile, found the end"),
        ("seris = 'A7'", 1, "did you mean series?"),
        ("vip and seris = 'A7'", 9, "there is no tag or column seris"),
        ("series = 3", 10, "expected a text in quotes for series, found '3'"),
        ("days < 'x'", 8, "expected a whole number for days"),
        ("days = 1.5", 8, "expected a whole number for days"),
        ("spent > true", 9, "expected a number for spent"),
        ("seen_on = '2026-13-01'", 11, "expected a date like '2026-03-31' for seen_on"),
        ("mobile = '13812345678'", 8, "mobile is personal data"),
        ("series < 'A'", 8, "'<' needs a number or a date, series is a text"),
        ("vip between 1 and 2", 5, "'between' needs a number or a date"),
        ("series has 'A7'", 8, "'has' does not go with series, which is a text"),
        ("models = 'A7'", 8, "which is a list: ask 'has'"),
        ("vip and (days = 1", 18, "expected ')', found the end"),
        ("vip vip", 5, "expected 'and', 'or' or the end"),
        ("series = 'A7", 10, "expected a closing quote"),
        ("days in ()", 10, "expected a whole number for days, found ')'"),
        ("series not = 'A'", 12, "expected 'in' after 'not'"),
        ("series is empty", 11, "expected 'known' or 'unknown' after 'is'"),
        ("series", 7, "series is a text: expected a comparison after it"),
        ("and vip", 1, "expected a tag or a column"),
        ("vip ; vip", 5, "expected a name, value or sign"),
        ("", 1, "expected a tag or a column of the profile, found the end"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_condition(text, COLUMNS)
    first, shown, marker = refused.value.message.split("\n")
    assert first.startswith(f"condition, position {position}: ")
    assert expected in first
    assert shown == f"  {text}"
    assert marker.index("^") == position + 1


def test_the_mark_stands_below_the_mistake_in_chinese_too() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_condition("city = '上海' and wip", COLUMNS)
    marker = refused.value.message.split("\n")[2]
    # each of the two characters is two columns wide
    assert marker.index("^") == 2 + len("city = '上海' and ") + 2


def test_the_signs_of_a_chinese_keyboard_mean_the_same() -> None:
    typed = parse_condition("（series ＝ “A7” or days＞3） and city in（‘上海’，'北京'）", COLUMNS)
    assert typed == parse_condition(
        "(series = 'A7' or days > 3) and city in ('上海', '北京')", COLUMNS
    )


def test_words_may_be_written_large_and_quotes_doubled() -> None:
    found = parse_condition("NOT vip AND series = 'O''Hara'", COLUMNS)
    assert found == parse_condition('not vip and series = "O\'Hara"', COLUMNS)
    assert names_of(found) == ("vip", "series")
    assert [clause.operands for clause in clauses(found)] == [(True,), ("O'Hara",)]


def test_not_binds_closer_than_and_which_binds_closer_than_or() -> None:
    assert parse_condition("not vip and days = 1 or series = 'A'", COLUMNS) == parse_condition(
        "((not vip) and days = 1) or series = 'A'", COLUMNS
    )


PERSONS: list[dict[str, Any]] = [
    {
        "one_id": f"u_{number:03}",
        "name": "王小明",
        "mobile": f"+861381234{number:04}" if number % 2 else None,
        "city": ["上海", "北京", None][number % 3],
        "allows_marketing": number % 2 == 0,
        "first_seen_at": datetime(2026, 1, 1, 20) + timedelta(days=number % 5),  # noqa: DTZ001
        "vip": number % 3 == 0,
        "series": [None, "A7", "A8", "ZT7"][number % 4],
        "days": None if number % 5 == 0 else number % 13,
        "spent": None if number % 7 == 0 else number / 4,
        "seen_on": None if number % 6 == 0 else date(2026, 1, 1) + timedelta(days=number % 20),
        "models": [None, ["a"], ["a", "b"], []][number % 4],
    }
    for number in range(150)
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    settings: Settings = load_settings(home=tmp_path_factory.mktemp("home"), threads=1)
    publish(settings, PERSONS, tags=TAGS)
    with open_store(settings) as opened:
        yield opened


def by_sql(store: Store, text: str) -> set[str]:
    sql = condition_sql(store.parse(text), store.populace.sql_of)
    rows = store.connection.execute(
        "select users.one_id from profiles.main.dim_users as users"
        f" left join profiles.main.dim_user_tags as tags on tags.one_id = users.one_id where {sql}"
    ).fetchall()
    return {row[0] for row in rows}


def by_bitmaps(store: Store, text: str) -> set[str]:
    bits = store.find(text)
    found = {p["one_id"] for p in store.bitmaps.read_persons(members(bits))}
    assert len(found) == count(bits)
    return found


def by_python(test: Any) -> set[str]:
    return {person["one_id"] for person in PERSONS if test(person)}


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("vip", lambda p: p["vip"]),
        ("vip = false", lambda p: not p["vip"]),
        ("vip in (true, false)", lambda _: True),
        ("series = 'A7'", lambda p: p["series"] == "A7"),
        ("series != 'A7'", lambda p: p["series"] not in (None, "A7")),
        ("not series = 'A7'", lambda p: p["series"] != "A7"),
        ("series not in ('A7', 'A8')", lambda p: p["series"] == "ZT7"),
        ("series = 'nobody'", lambda _: False),
        ("series is unknown", lambda p: p["series"] is None),
        ("days between 3 and 5", lambda p: p["days"] in (3, 4, 5)),
        ("days != 3", lambda p: p["days"] not in (None, 3)),
        ("not days < 3", lambda p: p["days"] is None or p["days"] >= 3),
        ("days in (1, 2) or days is unknown", lambda p: p["days"] in (None, 1, 2)),
        ("days not in (1, 2)", lambda p: p["days"] not in (None, 1, 2)),
        ("spent >= 10.5", lambda p: p["spent"] is not None and p["spent"] >= 10.5),
        ("seen_on > '2026-01-15'", lambda p: p["seen_on"] and p["seen_on"] > date(2026, 1, 15)),
        ("models has 'b'", lambda p: "b" in (p["models"] or [])),
        ("not models has 'b'", lambda p: "b" not in (p["models"] or [])),
        ("models is known", lambda p: p["models"] is not None),
        ("mobile is not known", lambda p: p["mobile"] is None),
        ("city = '上海' and vip", lambda p: p["city"] == "上海" and p["vip"]),
        # an evening in UTC is the next day in China
        ("first_seen_at = '2026-01-02'", lambda p: p["first_seen_at"].day == 1),
    ],
)
def test_bitmaps_sql_and_the_words_agree(store: Store, text: str, test: Any) -> None:
    expected = by_python(test)
    assert by_bitmaps(store, text) == expected
    assert by_sql(store, text) == expected


CLAUSES = st.sampled_from(
    [
        "vip", "vip = false", "series = 'A7'", "series != 'A8'", "series in ('A7', 'ZT7')",
        "series not in ('A7')", "series is known", "days > 4", "days <= 7", "days between 2 and 9",
        "days is unknown", "days in (1, 5, 9)", "spent < 20", "spent is known",
        "seen_on >= '2026-01-10'", "models has 'a'", "models is unknown", "city = '北京'",
        "mobile is known", "allows_marketing", "first_seen_at < '2026-01-04'",
    ]
)  # fmt: skip
CONDITIONS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: f"({' and '.join(p)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: f"({' or '.join(p)})"),
    ),
    max_leaves=8,
)


@hypothesis_settings(max_examples=80, deadline=None)
@given(text=CONDITIONS)
def test_bitmaps_say_what_sql_says_of_any_condition(store: Store, text: str) -> None:
    assert by_bitmaps(store, text) == by_sql(store, text)
