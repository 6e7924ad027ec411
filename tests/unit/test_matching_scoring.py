"""Scoring: what agrees with what, what is compared at all, and that nothing else matters."""

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from matching_cases import DECLARATION, looser, model_for, put_people

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.matching import level_labels, score_pairs

BORN = dt.date(1990, 3, 7)


def level(column: str, left: dict[str, Any], right: dict[str, Any]) -> str:
    """The level that two persons reach, who are otherwise born on one day and called 王."""
    connection = duckdb.connect()
    people = [{"birth": BORN, "name": "王", **left, "id": "a"}]
    people.append({"birth": BORN, "name": "王", **right, "id": "b"})
    put_people(connection, people)
    declaration = looser(blocking=(("name.surname",),))
    score_pairs(connection, "people", declaration, model_for(declaration))
    row = connection.execute(f"select level_{column} from matching_pairs").fetchone()
    assert row
    return level_labels(declaration)[column][row[0]]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("王小明", "王小明", "equal"),
        ("王小明", " 王 小明 ", "equal"),
        ("王小明", "王小明先生", "equal"),
        ("王小麗", "王小丽女士", "equal"),
        ("王Ｔｏｍ", "王tom", "equal"),
        ("王小明", "王晓鸣", "same sound"),
        ("王小明", "王小月", "one character"),
        ("王小明", "王明", "one character"),
        ("王小明", "王小", "cut"),
        ("王小明", "王先生", "surname only"),
        ("王先生", "王女士", "surname only"),
        ("王小明", "王建国", "different"),
        ("王伟", "王芳", "different"),
        ("王" + "长" * 40, "王" + "长" * 29, "cut"),
        ("王小明", "王小月儿", "one character"),
    ],
)
def test_names_agree_as_people_write_them(left: str, right: str, expected: str) -> None:
    assert level("name", {"name": left}, {"name": right}) == expected
    assert level("name", {"name": right}, {"name": left}) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("+8613812341234", "+8613812341234", "equal"),
        ("+8613812341234", "138****1234", "masked equal"),
        ("138****1234", "+86138****1234", "masked equal"),
        ("+8613812341234", "+8613856781234", "different"),
        ("+8613812341234", "+8613812341235", "one slip"),
        ("+8613812341234", "139****1234", "different"),
        ("+8613812341234", None, "missing"),
        ("+8613812341234", "none", "missing"),
    ],
)
def test_mobiles_agree_whole_or_by_what_a_mask_leaves(
    left: str, right: str | None, expected: str
) -> None:
    assert level("mobile", {"mobile": left}, {"mobile": right}) == expected
    assert level("mobile", {"mobile": right}, {"mobile": left}) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (BORN, "equal"),
        (dt.date(1990, 7, 3), "one slip"),
        (dt.date(1998, 3, 7), "one slip"),
        (dt.date(1990, 12, 24), "within a year"),
        (dt.date(1962, 12, 24), "different"),
        (None, "missing"),
    ],
)
def test_birth_dates_forgive_one_slip(other: dt.date | None, expected: str) -> None:
    assert level("birth", {}, {"birth": other}) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"dealers": ["D1", "D2"]}, {"dealers": ["D2"], "city": "苏州市"}, "same dealers"),
        ({"dealers": ["D1"], "city": "苏州市"}, {"dealers": ["D3"], "city": "苏州市"}, "same city"),
        ({"province": "江苏省"}, {"province": "江苏省", "city": "苏州市"}, "same province"),
        ({"province": "江苏省"}, {"province": "浙江省"}, "different"),
        ({"province": "江苏省"}, {"city": "苏州市"}, "missing"),
        ({"dealers": []}, {"dealers": ["D1"]}, "missing"),
    ],
)
def test_places_agree_by_the_finest_known_in_common(
    left: dict[str, Any], right: dict[str, Any], expected: str
) -> None:
    assert level("place", left, right) == expected


def some_people(count: int = 60) -> list[dict[str, Any]]:
    rng = random.Random(7)  # noqa: S311
    return [
        {
            "id": f"p{number:03}",
            "name": rng.choice(["王伟", "王小明", "欧阳伟", "李娜", "王晓鸣"]),
            "mobile": rng.choice(["138****1234", "+8613812341234", None]),
            "birth": rng.choice([BORN, dt.date(1990, 7, 3), None]),
            "city": rng.choice(["苏州市", "南京市"]),
        }
        for number in range(count)
    ]


def scored(people: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    connection = duckdb.connect()
    put_people(connection, people)
    declaration = looser()
    score_pairs(connection, "people", declaration, model_for(declaration))
    rows = connection.execute("select * from matching_pairs").fetchall()
    assert rows
    return {(row[0], row[1]): row[2:] for row in rows}


def test_the_order_of_the_rows_changes_no_digit() -> None:
    people = some_people()
    expected = scored(people)
    for seed in range(3):
        random.Random(seed).shuffle(people)  # noqa: S311
        assert scored(people) == expected


def test_other_rows_change_no_probability() -> None:
    people = some_people()
    everything = scored(people)
    part = scored(people[:20])
    assert part == {pair: everything[pair] for pair in part}


def test_given_pairs_score_as_they_do_among_all() -> None:
    connection = duckdb.connect()
    put_people(connection, some_people())
    numbered = "(select *, substr(id, 2)::integer as number from people)"
    declaration = looser()
    score_pairs(connection, numbered, declaration, model_for(declaration), number="number")
    everything = connection.execute("select * from matching_pairs order by all").fetchall()
    connection.execute(
        "create table given as select right_no as left_no, left_no as right_no"
        " from matching_pairs where left_no % 2 = 0"
    )
    report = score_pairs(
        connection,
        numbered,
        declaration,
        model_for(declaration),
        number="number",
        among="given",
    )
    part = connection.execute("select * from matching_pairs order by all").fetchall()
    assert report.compared == len(part) > 0
    assert part == [row for row in everything if int(row[0][1:]) % 2 == 0]


def test_a_frequent_name_weighs_less_than_a_rare_one() -> None:
    people = [
        {"id": f"{name}{copy}", "name": name, "birth": BORN}
        for name in ("王伟", "欧阳伟")
        for copy in (1, 2)
    ]
    found = {pair[0]: values[1] for pair, values in scored(people).items() if values[3] == 5}
    assert found["欧阳伟1"] - found["王伟1"] == pytest.approx(6.129, abs=0.01)  # log2(0.07 / 0.001)


def test_nothing_but_the_result_is_left_behind_and_the_file_is_not_written(tmp_path: Any) -> None:
    connection = duckdb.connect(tmp_path / "build.duckdb")
    put_people(connection, some_people())
    connection.begin()  # the caller's own transaction goes on
    connection.execute("create table written (x integer)")
    score_pairs(connection, "people", DECLARATION, model_for(DECLARATION))
    connection.commit()
    tables = connection.execute("select table_name, temporary from duckdb_tables()").fetchall()
    assert sorted(tables) == [("matching_pairs", True), ("people", False), ("written", False)]
    views = connection.execute("select view_name from duckdb_views() where not internal")
    assert views.fetchall() == []


def test_a_failure_leaves_nothing_behind() -> None:
    connection = duckdb.connect()
    put_people(connection, some_people())
    connection.execute("alter table people alter birth type varchar")
    connection.execute("update people set birth = 'soon'")
    with pytest.raises(duckdb.ConversionException):
        score_pairs(connection, "people", DECLARATION, model_for(DECLARATION))
    tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert tables == [("people",)]


def test_large_blocks_are_left_out_and_reported() -> None:
    connection = duckdb.connect()
    crowd = [{"id": f"c{n:03}", "name": "王伟", "birth": BORN} for n in range(30)]
    pair = [{"id": f"d{n}", "name": "欧阳娜", "birth": BORN} for n in range(2)]
    put_people(connection, crowd + pair)
    declaration = looser(blocking=(("name.text",),), max_block=20)
    report = score_pairs(connection, "people", declaration, model_for(declaration))
    assert report.compared == 1
    (block,) = report.blocking
    assert (block.blocks, block.kept_blocks, block.pairs, block.kept_pairs) == (2, 1, 436, 1)
    assert block.action == "kept"


def test_a_rule_is_tightened_to_the_bound_on_pairs_or_refused() -> None:
    connection = duckdb.connect()
    names = {"王伟": 5, "李娜": 4, "欧阳娜": 4}  # 10, 6 and 6 pairs
    people = [
        {"id": f"{name}{n}", "name": name, "birth": BORN}
        for name, count in names.items()
        for n in range(count)
    ]
    put_people(connection, people)

    def compared(bound: int) -> tuple[str, int]:
        declaration = looser(blocking=(("name.text",),), max_pairs=bound)
        report = score_pairs(connection, "people", declaration, model_for(declaration))
        return report.blocking[0].action, report.compared

    assert compared(22) == ("kept", 22)
    assert compared(21) == ("tightened", 12)
    # two blocks of one size are left out together: none of them comes first
    assert compared(11) == ("refused", 0)


def test_a_missing_column_and_a_repeated_key_are_refused() -> None:
    connection = duckdb.connect()
    put_people(connection, some_people())
    with pytest.raises(ConfigurationError, match="lacks the columns birth, city"):
        score_pairs(
            connection,
            "(select * exclude (birth, city) from people)",
            DECLARATION,
            model_for(DECLARATION),
        )
    connection.execute("update people set id = 'p001' where id = 'p000'")
    with pytest.raises(ZhongtaiError, match="repeated in 1"):
        score_pairs(connection, "people", DECLARATION, model_for(DECLARATION))


def test_a_model_for_other_comparisons_is_refused() -> None:
    connection = duckdb.connect()
    put_people(connection, some_people())
    other = replace(
        DECLARATION, comparisons=DECLARATION.comparisons[:3], blocking=(("name.text",),)
    )
    with pytest.raises(ConfigurationError, match="place differ"):
        score_pairs(connection, "people", other, model_for(DECLARATION))
