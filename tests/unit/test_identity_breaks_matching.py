"""Each rule of seeds/matching/persons.yml, taken away: what it was for then goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from person_cases import DECLARED

from zhongtai.identity.matching import link, score_pairs
from zhongtai.identity.matching.declaration import Declaration, Thresholds

assert DECLARED.matching
TASK, MODEL = DECLARED.matching
BORN = date(1981, 2, 3)
SCHEMA = pa.schema(
    [
        *((column, pa.string()) for column in ("cluster_key", "name", "gender", "province")),
        *((column, pa.string()) for column in ("city", "address")),
        *((column, pa.list_(pa.string())) for column in ("mobiles", "dealer_codes")),
        ("birth_date", pa.date32()),
        ("has_namesakes", pa.bool_()),
    ]
)
Row = Mapping[str, Any]


def two(name: str, other: str = "", **known: object) -> tuple[Row, Row]:
    """Two rows of which the same is known but the name."""
    return {"name": name, **known}, {"name": other or name, **known}


# Pairs that only one rule finds, or that only one rule lets be joined.
PAIRS: Mapping[str, tuple[Row, Row]] = {
    "phone": two("赵一", "钱二", mobiles=["138****0001"]),
    "birthday": two("孙三", birth_date=BORN),
    "town": two("李四", city="甲市"),
    "dealer": two("周五", dealer_codes=["D5"]),
    "surname": two("吴六", "吴七", birth_date=BORN, city="乙市"),
    "address": two("郑八", "郑九", address="丙路1号2室"),
    "slip": two("张若曦", "张若雨", birth_date=BORN, city="丁市"),
    "cut": (
        {"name": "刘若曦", "mobiles": ["139****0003"], "dealer_codes": ["D6"]},
        {"name": "刘若", "mobiles": ["+8613912340003"], "dealer_codes": ["D6"]},
    ),
    "birthday against number": (
        {"name": "梁五六", "birth_date": BORN, "city": "庚市", "mobiles": ["+8613612340011"]},
        {"name": "梁五六", "birth_date": BORN, "city": "庚市", "mobiles": ["+8613798760022"]},
    ),
    "address against number": (
        {"name": "宋七八", "address": "辛路1号2室", "mobiles": ["+8613612340033"]},
        {"name": "宋七八", "address": "辛路1号2室", "mobiles": ["+8613798760044"]},
    ),
    "namesakes' town": two("林七八", city="戊市", has_namesakes=True),
    "namesakes' birthday": two("何一二", birth_date=BORN, has_namesakes=True),
    "namesakes' phone": two("高三四", mobiles=["+8613712340004"], has_namesakes=True),
    "namesakes' address": two("马五六", address="己路1号2室", has_namesakes=True),
}


@dataclass(frozen=True)
class Scored:
    """What was said of each pair that was kept, by its name, and which were joined or left open."""

    probability: Mapping[str, float]
    sufficient: frozenset[str]
    joined: frozenset[str]
    open: frozenset[str]


def score(task: Declaration, pairs: Mapping[str, tuple[Row, Row]] = PAIRS) -> Scored:
    connection = duckdb.connect()
    rows = [
        {"has_namesakes": False, **row, "cluster_key": f"{name}/{number}"}
        for name, pair in pairs.items()
        for number, row in enumerate(pair)
    ]
    connection.register("pieces", pa.Table.from_pylist(rows, SCHEMA))
    score_pairs(connection, "pieces", task, MODEL)
    link(connection, task)
    name = "split_part({}, '/', 1)"
    left, right = name.format("left_key"), name.format("right_key")

    def names(query: str) -> frozenset[str]:
        return frozenset(row[0] for row in connection.execute(query).fetchall())

    found = connection.execute(
        f"select {left}, probability from matching_pairs where {left} = {right}"
    )
    return Scored(
        dict(found.fetchall()),
        names(f"select {left} from matching_pairs where is_sufficient"),
        names(f"select {name.format('row_key')} from matching_groups"),
        names(f"select {left} from matching_undecided where {left} = {right}"),
    )


def every_pair(task: Declaration = TASK) -> Declaration:
    """The declaration with every pair kept that is compared."""
    return replace(task, thresholds=replace(task.thresholds, floor=0.0))


def without(rules: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return rules[:place] + rules[place + 1 :]


@pytest.fixture(scope="module")
def sound() -> Scored:
    return score(every_pair())


@pytest.mark.parametrize(
    ("rule", "pair"),
    list(enumerate(("phone", "birthday", "town", "dealer", "surname", "address"))),
)
def test_a_pair_that_one_rule_finds_is_lost_without_it(sound: Scored, rule: int, pair: str) -> None:
    assert len(TASK.blocking) == 6
    assert pair in sound.probability
    found = score(every_pair(replace(TASK, blocking=without(TASK.blocking, rule))))
    assert pair not in found.probability


@pytest.mark.parametrize(
    ("entry", "pair"),
    list(enumerate(("town", "birthday against number", "address against number", "slip", "cut"))),
)
def test_a_pair_is_joined_by_what_is_declared_to_suffice(
    sound: Scored, entry: int, pair: str
) -> None:
    assert len(TASK.sufficient) == 5
    assert pair in sound.sufficient
    found = score(every_pair(replace(TASK, sufficient=without(TASK.sufficient, entry))))
    assert pair not in found.sufficient


@pytest.mark.parametrize(
    ("entry", "pair"),
    list(enumerate(("namesakes' birthday", "namesakes' phone", "namesakes' address"))),
)
def test_namesakes_are_joined_by_what_is_declared_to_suffice_for_them(
    sound: Scored, entry: int, pair: str
) -> None:
    assert TASK.stricter
    assert len(TASK.stricter.sufficient) == 3
    assert pair in sound.sufficient
    stricter = replace(TASK.stricter, sufficient=without(TASK.stricter.sufficient, entry))
    assert pair not in score(every_pair(replace(TASK, stricter=stricter))).sufficient


def test_without_the_stricter_rule_a_town_would_do_for_namesakes(sound: Scored) -> None:
    assert "namesakes' town" not in sound.sufficient
    assert "namesakes' town" in score(every_pair(replace(TASK, stricter=None))).sufficient


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"accept": 0.99}, lambda found: "dealer" in found.joined),
        ({"accept": 0.9}, lambda found: "slip" not in found.joined),
        ({"review": 0.95}, lambda found: "slip" in found.open),
        ({"review": 0.5}, lambda found: "town" not in found.open),
        ({"floor": 0.0}, lambda found: min(found.probability.values()) >= 0.05),
    ],
)
def test_each_threshold_parts_what_it_declares(
    changed: Mapping[str, float], seen: Callable[[Scored], bool]
) -> None:
    assert seen(score(TASK))
    limits: Thresholds = replace(TASK.thresholds, **changed)
    assert not seen(score(replace(TASK, thresholds=limits)))


def test_a_block_of_more_rows_than_the_bound_is_not_compared() -> None:
    crowd = {f"p{n}": two("孙三", birth_date=BORN) for n in range(TASK.max_block // 2 + 1)}
    assert score(every_pair(), crowd).probability == {}
    wider = replace(TASK, max_block=2 * TASK.max_block)
    assert score(every_pair(wider), crowd).probability.keys() == crowd.keys()
