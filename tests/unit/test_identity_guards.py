"""Guard rails: each setting of seeds/identifiers.csv does something, and strangers stay apart."""

from random import Random
from typing import Any, cast

import duckdb
import pytest
from person_cases import DECLARED, Named, Person, record, resolve_people, with_type

from zhongtai.identity import refusals, resolution

HUB = "mobile:+8613000000009"
NAMES = ("王伟", "李娜", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽", "周杰", "吴昊")


def customers(count: int, *shared: str) -> dict[str, Person]:
    """People of different names who share values, each with a phone and a second record."""
    people: dict[str, Person] = {}
    for number in range(count):
        own = f"mobile:+86139000000{number:02}"
        people[f"visit{number}"] = record(*shared, own, name=NAMES[number])
        people[f"lead{number}"] = record(own, name=NAMES[number])
    return people


def test_a_phone_of_many_customers_links_nobody_and_is_told() -> None:
    found = resolve_people(customers(8, HUB))
    assert len(found.groups) == 8
    assert all(found.together(f"visit{n}", f"lead{n}") for n in range(8))
    assert found.reasons() == {"hub"}
    assert found.shared == {"+8613000000009": "hub"}
    assert len(found.refused) == 7


def test_the_cap_of_holders_decides_what_is_a_hub() -> None:
    nameless = {f"r{n}": record(HUB, f"login_id:L{n}") for n in range(4)}
    assert len(resolve_people(nameless, with_type("mobile", max_holders=3)).groups) == 4
    assert len(resolve_people(nameless, with_type("mobile", max_holders=4)).groups) == 1


def test_over_the_limit_the_newest_holder_may_keep_the_value() -> None:
    people = {f"r{n}": record(f"{HUB}@2026-01-{n + 1:02}", name=NAMES[n]) for n in range(8)} | {
        "late": record(f"{HUB}@2026-02-01", name=NAMES[7])
    }
    kept = resolve_people(people, with_type("mobile", over_limit="keep_newest"))
    assert kept.together("r7", "late")
    assert len(kept.groups) == 8
    assert not resolve_people(people).together("r7", "late")


def test_an_advisers_own_records_stay_one_person_without_the_customers() -> None:
    people = customers(8, HUB) | {
        "own_contact": record(HUB, name="孙涛"),
        "own_login": record(Named("mobile", "+8613000000009", is_verified=True), "login_id:L"),
        "own_order": record(HUB, name="孙涛"),
    }
    found = resolve_people(people, owners={"+8613000000009": "孙涛"})
    assert frozenset({"own_contact", "own_login", "own_order"}) in found.groups
    assert len(found.groups) == 9


def test_a_record_that_names_more_phones_than_a_person_has_speaks_for_others() -> None:
    phones = [f"mobile:+861390000000{n}" for n in range(4)]
    people = {"form": record("login_id:L", *phones)} | {
        f"r{n}": record(phone) for n, phone in enumerate(phones)
    }
    assert len(resolve_people(people, with_type("mobile", max_values=4)).groups) == 1
    found = resolve_people(people, with_type("mobile", max_values=3))
    assert len(found.groups) == 5
    assert found.reasons() == {"too_many_values"}


def test_nobody_grows_beyond_the_values_that_a_person_may_hold() -> None:
    chain = {
        f"r{n}": record(f"mobile:+861390000000{n}", f"mobile:+861390000000{n + 1}")
        for n in range(6)
    }
    assert len(resolve_people(chain).groups) == 1
    found = resolve_people(chain, with_type("mobile", max_values=3))
    assert len(found.groups) > 1
    assert "too_many_mobile" in found.reasons()


@pytest.mark.parametrize(
    ("kind", "scope", "reason"),
    [
        ("id_card", "", "different_id_card"),
        ("unionid", "", "different_unionid"),
        ("openid", "wx1", "different_openid"),
    ],
)
def test_two_values_of_a_single_valued_type_are_two_persons(
    kind: str, scope: str, reason: str
) -> None:
    people = {
        "a": record(Named(kind, "1", scope=scope), HUB),
        "b": record(Named(kind, "2", scope=scope), HUB),
    }
    found = resolve_people(people)
    assert not found.together("a", "b")
    assert found.reasons() == {reason}
    assert resolve_people(people, with_type(kind, max_values=None)).together("a", "b")


def test_openids_of_two_mini_programs_are_one_person() -> None:
    people = {
        "a": record(Named("openid", "1", scope="wx1"), "unionid:U"),
        "b": record(Named("openid", "2", scope="wx2"), "unionid:U"),
    }
    assert resolve_people(people).together("a", "b")


def test_a_late_unionid_joins_what_was_two() -> None:
    early = {"a": record("openid:1"), "b": record("openid:2")}
    assert not resolve_people(early).together("a", "b")
    late = {
        "a": record(Named("openid", "1", scope="wx1"), "unionid:U"),
        "b": record(Named("openid", "2", scope="wx2")),
        "c": record(Named("openid", "2", scope="wx2"), "unionid:U"),
    }
    assert resolve_people(late).together("a", "b", "c")


def test_a_family_phone_makes_a_household_not_a_person() -> None:
    people = {
        "father": record(HUB, "id_card:1", name="王伟"),
        "father_visit": record(HUB, name="王伟"),
        "mother": record(HUB, "unionid:2", name="李娜"),
        "child": record(HUB, name="王小明"),
    }
    found = resolve_people(people)
    assert found.groups == {
        frozenset({"father", "father_visit"}),
        frozenset({"mother"}),
        frozenset({"child"}),
    }
    assert found.reasons() == {"different_name"}
    assert found.shared == {"+8613000000009": "household"}
    assert resolve_people(people, with_type("mobile", contradicted_by=frozenset())).together(
        "father", "mother"
    )


def test_different_birth_dates_refuse_a_phone() -> None:
    people = {"a": record(HUB, birth="1980-02-03"), "b": record(HUB, birth="2001-02-03")}
    assert resolve_people(people).reasons() == {"different_birth_date"}
    blind = with_type("mobile", contradicted_by=frozenset({"name"}))
    assert resolve_people(people, blind).together("a", "b")


def test_a_recycled_number_is_split_by_name_and_the_nameless_follow_the_time() -> None:
    people = {
        "then": record(f"{HUB}@2020-01-01..2021-05-01", name="王伟"),
        "then_app": record(f"{HUB}@2020-03-01..2021-02-01", "login_id:L1"),
        "now": record(f"{HUB}@2025-01-01..2026-03-01", name="李娜"),
        "now_survey": record(f"{HUB}@2025-06-01"),
    }
    found = resolve_people(people)
    assert found.groups == {frozenset({"then", "then_app"}), frozenset({"now", "now_survey"})}
    assert found.reasons() == {"recycled"}
    assert found.shared == {}


def test_a_device_that_nobody_used_for_its_window_is_somebody_elses() -> None:
    people = {
        "a": record("anonymous_id:D@2020-01-01", "login_id:1"),
        "b": record("anonymous_id:D@2026-01-01", "mobile:+8613900000001"),
    }
    assert resolve_people(people).reasons() == {"not_seen_for_long"}
    assert resolve_people(people, with_type("anonymous_id", window_days=None)).together("a", "b")


def test_two_accounts_on_a_family_tablet_are_two_persons() -> None:
    people = {
        "a": record("anonymous_id:D", "login_id:1"),
        "b": record("anonymous_id:D", "login_id:2"),
        "tablet": record("anonymous_id:D"),
    }
    found = resolve_people(people)
    assert len(found.groups) == 3
    assert found.reasons() == {"different_login_id", "ambiguous"}


def test_two_accounts_on_one_phone_number_are_one_person() -> None:
    people = {"a": record(HUB, "login_id:1"), "b": record(HUB, "login_id:2")}
    assert resolve_people(people).together("a", "b")


def test_stronger_evidence_is_believed_first() -> None:
    people = {
        "order": record("id_card:1", "unionid:U1", HUB),
        "wechat": record("unionid:U1"),
        "other": record("id_card:2", HUB),
    }
    assert resolve_people(people).groups == {frozenset({"order", "wechat"}), frozenset({"other"})}


def test_a_type_that_is_only_known_links_nothing() -> None:
    people = {"a": record(HUB), "b": record(HUB)}
    assert not resolve_people(people, with_type("mobile", status="known")).together("a", "b")


@pytest.mark.parametrize("value", ["0", "null", "未知", "138****1234", "+8611111111111"])
def test_blocked_values_link_nothing(value: str) -> None:
    people = {"a": record(f"mobile:{value}"), "b": record(f"mobile:{value}")}
    found = resolve_people(people)
    assert not found.together("a", "b")
    assert found.shared == {value: "blocked"}


@pytest.mark.parametrize("namesake", [None, "b", "c"])
def test_a_name_of_several_persons_matches_nobody_by_town_alone(namesake: str | None) -> None:
    def one(*named: str, **known: str) -> Person:
        return record(*named, name="欧阳若曦", dealer_code="D1", city="苏州市", **known)

    people = {"a": one(birth_date="1990-02-03", gender="女"), "lead": one(gender="女")}
    if namesake == "b":
        people["b"] = record(name="欧阳若曦", dealer_code="D7", birth_date="1961-07-08")
    elif namesake == "c":
        people["c"] = record("id_card:C1", name="欧阳若曦", dealer_code="D8")
        people["d"] = record("id_card:C2", name="欧阳若曦", dealer_code="D9")
    assert resolve_people(people).together("a", "lead") == (namesake is None)
    people["lead"] = one(gender="女", birth_date="1990-02-03")
    assert resolve_people(people).together("a", "lead")


def test_a_nameless_record_goes_to_who_uses_the_number_clearly_more() -> None:
    people = {f"own{n}": record(HUB, name="王伟") for n in range(4)} | {
        "borrowed": record(HUB, "mobile:+8613900000001", name="李娜"),
        "hers": record("mobile:+8613900000001", name="李娜"),
        "survey": record(HUB),
    }
    found = resolve_people(people)
    assert found.together("own0", "own3", "survey")
    assert found.together("borrowed", "hers")
    even = {"a": record(HUB, name="王伟"), "b": record(HUB, name="李娜"), "c": record(HUB)}
    assert "ambiguous" in resolve_people(even).reasons()


def test_a_backup_phone_links_only_with_the_name() -> None:
    backup = Named("mobile", "+8613000000009", needs_name=True)
    people = {
        "contact": record(backup, "unionid:U", name="王伟"),
        "referral": record(HUB, name="王伟"),
        "wife": record(HUB, name="李娜"),
        "nameless": record(backup, "unionid:V"),
    }
    found = resolve_people(people)
    assert found.groups == {
        frozenset({"contact", "referral"}),
        frozenset({"wife"}),
        frozenset({"nameless"}),
    }


def test_two_accounts_that_proved_different_phones_are_two_persons() -> None:
    people = {
        "his": record(Named("mobile", "+8613000000001", is_verified=True), "login_id:1"),
        "order": record("mobile:+8613000000001", HUB),
        "hers": record(Named("mobile", "+8613000000009", is_verified=True), "login_id:2"),
    }
    found = resolve_people(people)
    assert found.groups == {frozenset({"his", "order"}), frozenset({"hers"})} or found.groups == {
        frozenset({"his"}),
        frozenset({"order", "hers"}),
    }
    assert found.reasons() == {"different_verified_mobile"}
    blind = with_type("mobile", contradicted_by=frozenset({"name"}))
    assert resolve_people(people, blind).together("his", "hers")


def test_decisions_join_and_part_whatever_the_evidence_says() -> None:
    people = {"a": record("id_card:1"), "b": record("id_card:2"), "c": record("id_card:2")}
    joined = resolve_people(people, must=(("a", "b"),))
    assert joined.together("a", "b", "c")
    assert joined.linked_by["a"] == "decision"
    parted = resolve_people(people, cannot=(("b", "c"),))
    assert not parted.together("b", "c")
    assert parted.reasons() == {"decision"}


def test_neither_the_order_of_rows_nor_of_evidence_matters() -> None:
    people = customers(4, HUB) | {
        "x": record(HUB, "login_id:1"),
        "y": record("login_id:1", "mobile:+8613900000001"),
        "z": record(f"{HUB}@2020-01-01", name="王伟"),
    }
    first = resolve_people(people)
    for seed in range(8):
        keys = list(people)
        Random(seed).shuffle(keys)  # noqa: S311
        again = resolve_people({key: people[key] for key in keys})
        assert (again.groups, again.refused) == (first.groups, first.refused)


def test_every_type_that_is_published_is_declared() -> None:
    assert len(DECLARED.types) == 12


def test_a_character_that_sounds_the_same_contradicts_nobody() -> None:
    people = {"a": record(HUB, name="杨君怡"), "b": record(HUB, name="楊军怡")}
    assert resolve_people(people).together("a", "b")
    people["b"] = record(HUB, name="杨君宜兰")
    assert not resolve_people(people).together("a", "b")


def test_a_phone_is_not_shared_by_those_who_prove_to_be_one_person() -> None:
    known = {"birth_date": "1990-02-03", "city": "苏州市", "gender": "女", "dealer_code": "D1"}
    known["address"] = "苏州市姑苏区人民路1号2室"
    people = {
        "cut": record(HUB, name="Xiaoming", **known),
        "whole": record(HUB, name="欧阳若曦", **known),
    }
    assert resolve_people(people).shared == {"+8613000000009": "household"}
    people["cut"] = record(HUB, name="欧阳若羲羲", **known)
    found = resolve_people(people)
    assert (found.together("cut", "whole"), found.shared) == (True, {})


def test_a_car_owners_name_tells_a_family_apart_and_joins_nobody() -> None:
    people = {
        "father": record(HUB, name="王伟"),
        "mother": record(HUB, name="李娜"),
        "survey": record(HUB, hint="李娜"),
        "elsewhere": record("mobile:+8613900000001", hint="李娜"),
    }
    found = resolve_people(people)
    assert found.groups == {
        frozenset({"father"}),
        frozenset({"mother", "survey"}),
        frozenset({"elsewhere"}),
    }


def test_another_owner_of_the_car_makes_nobody_elses_phone_shared() -> None:
    people = {"buyer": record(HUB, name="王伟"), "survey": record(HUB, hint="李娜")}
    found = resolve_people(people)
    assert not found.together("buyer", "survey")
    assert found.reasons() == {"different_name"}
    assert not found.shared


def test_who_proved_to_hold_anothers_backup_phone_is_somebody_else() -> None:
    people = {
        "contact": record(
            "mobile:+8613900000001",
            Named("mobile", "+8613000000009", needs_name=True),
            "unionid:U",
            name="王伟",
        ),
        "order": record(HUB, "unionid:U", name="王伟"),
        "account": record(Named("mobile", "+8613000000009", is_verified=True), "login_id:2"),
    }
    found = resolve_people(people)
    assert found.groups == {frozenset({"contact", "order"}), frozenset({"account"})}
    assert found.reasons() == {"different_holder"}


class Planned:
    """A connection that also keeps the plan of each statement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.plans: list[str] = []

    def execute(self, query: str, *values: object) -> duckdb.DuckDBPyConnection:
        plan = self.connection.execute(f"explain {query}", *values).fetchall()
        self.plans.append(str(plan))
        return self.connection.execute(query, *values)


def test_refused_links_are_told_without_comparing_every_record_with_every_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Planned] = []

    def write(connection: duckdb.DuckDBPyConnection, *rest: Any) -> None:
        told.append(Planned(connection))
        refusals.write_refusals(cast("duckdb.DuckDBPyConnection", told[0]), *rest)

    monkeypatch.setattr(resolution, "write_refusals", write)
    others = {f"other{n}": record(f"login_id:U{n}") for n in range(5000)}
    assert resolve_people(customers(8, HUB) | others).reasons() == {"hub"}
    plans = "".join(told[0].plans)
    assert "HASH_JOIN" in plans
    assert not any(word in plans for word in ("NL_JOIN", "NESTED_LOOP", "CROSS_PRODUCT", "IE_JOIN"))
