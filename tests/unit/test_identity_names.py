"""What a name and a neighbouring number say about who is one person, and what they do not."""

import pytest
from person_cases import Person, record, resolve_people

HUB = "mobile:+8613000000009"


@pytest.mark.parametrize(
    "name", ["测试", "测试01", "客户", "微信用户", "匿名用户8", "139 0571 0099", "无名氏", "Test 1"]
)
def test_a_word_for_nobody_is_no_name(name: str) -> None:
    people = {
        "a": record(HUB, name="王伟"),
        "b": record(HUB, name=name),
        **{f"t{n}": record(name=name, dealer_code="D1", city="苏州市") for n in range(2)},
    }
    found = resolve_people(people)
    assert found.together("a", "b")
    assert not found.together("t0", "t1")


@pytest.mark.parametrize("name", ["吕总", "吕老师", "吕老板", "吕哥", "吕小姐"])
def test_a_surname_with_a_title_contradicts_no_full_name(name: str) -> None:
    people = {"a": record(HUB, name="吕洞宾"), "b": record(HUB, name=name)}
    assert resolve_people(people).together("a", "b")


@pytest.mark.parametrize("apart", [1, 7])
def test_neighbouring_numbers_are_of_different_people(apart: int) -> None:
    people = {
        f"p{n}": record(
            f"mobile:+861391112{n * apart:04}", name="李明明", dealer_code="D1", city="苏州市"
        )
        for n in range(8)
    }
    assert len(resolve_people(people).groups) == 8


def test_two_numbers_and_a_birth_date_are_one_person_in_one_town_only() -> None:
    def one(number: int, city: str) -> Person:
        mobile = f"mobile:+861391112{number:04}"
        return record(mobile, name="欧阳若曦", birth_date="1990-02-03", city=city)

    assert resolve_people({"a": one(1234, "苏州市"), "b": one(8765, "苏州市")}).together("a", "b")
    assert not resolve_people({"a": one(1234, "苏州市"), "b": one(8765, "杭州市")}).together(
        "a", "b"
    )
