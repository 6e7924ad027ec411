"""Each setting of the seeds of identity, taken away: what it was for then goes wrong."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from person_cases import (
    DECLARED,
    PROJECT,
    IdentifierType,
    Named,
    Outcome,
    Person,
    record,
    resolve_people,
    with_type,
)

from zhongtai.identity import Declaration, declare
from zhongtai.identity.declaration import BlockedValue

NAMES = ["王伟", "李娜", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽"]
PHONE = "mobile:+8613000000001"


@dataclass(frozen=True)
class Case:
    """Records, what must become of them, and the declaration without what makes it so."""

    people: Mapping[str, Person]
    holds: Callable[[Outcome], bool]
    broken: Declaration


def alone(found: Outcome) -> bool:
    """Whether no two records are one person."""
    return all(len(group) == 1 for group in found.groups)


def joined(found: Outcome) -> bool:
    """Whether all records are one person."""
    return len(found.groups) == 1


def status(kind: IdentifierType) -> Case:
    people = {key: record(f"{kind.name}:1") for key in "ab"}
    return Case(people, joined, with_type(kind.name, status="known"))


def values_per_person(kind: IdentifierType) -> Case:
    people = {key: record(f"{kind.name}:{key}", "login_id:1") for key in "ab"}
    return Case(people, alone, with_type(kind.name, max_values=None))


def max_values(kind: IdentifierType) -> Case:
    assert kind.max_values
    many = [f"{kind.name}:{number}" for number in range(1, kind.max_values + 2)]
    people = {"form": record(*many), "customer": record(many[0])}
    return Case(people, alone, with_type(kind.name, max_values=None))


def crowd(kind: IdentifierType) -> dict[str, Person]:
    """More persons than may hold a value, one of whom is seen again, and a record of nobody."""
    assert kind.max_holders
    people = {
        name: record(f"{kind.name}:1@2026-01-{number + 1:02}", name=name)
        for number, name in enumerate(NAMES[: kind.max_holders + 1])
    }
    newest = list(people)[-1]
    again = record(f"{kind.name}:1@2026-01-20", name=newest)
    return {**people, "again": again, "nobody": record(f"{kind.name}:1@2026-01-01")}


def max_holders(kind: IdentifierType) -> Case:
    return Case(crowd(kind), alone, with_type(kind.name, max_holders=None))


def over_limit(kind: IdentifierType) -> Case:
    return Case(crowd(kind), alone, with_type(kind.name, over_limit="keep_newest"))


def window_days(kind: IdentifierType) -> Case:
    assert kind.window_days
    people = {day: record(f"{kind.name}:1@{day}") for day in ("2023-01-01", "2026-01-01")}
    return Case(people, alone, with_type(kind.name, window_days=None))


def contradicted_by(kind: IdentifierType, what: str) -> Case:
    people = {}
    for number, name in enumerate(NAMES[:2]):
        more: list[Named | str] = []
        if what == "verified_mobile":
            more = [Named("mobile", f"+861390000000{number}", is_verified=True)]
        elif what not in {"name", "birth_date"}:
            more = [f"{what}:{number + 1}"]
        people[name] = record(
            f"{kind.name}:1",
            *more,
            name=name if what == "name" else None,
            birth=f"198{number}-01-01" if what == "birth_date" else None,
        )
    return Case(people, alone, with_type(kind.name, contradicted_by=kind.contradicted_by - {what}))


def priority(stronger: IdentifierType, weaker: IdentifierType) -> Case:
    """A record that names two persons' values belongs to whom the stronger one names."""
    only = next(name for name in ("openid", "id_card") if name not in {stronger.name, weaker.name})
    people = {
        "both": record(f"{stronger.name}:1", f"{weaker.name}:1"),
        "first": record(f"{stronger.name}:1", f"{only}:1"),
        "second": record(f"{weaker.name}:1", f"{only}:2"),
    }
    swapped = {
        stronger.name: replace(stronger, priority=weaker.priority),
        weaker.name: replace(weaker, priority=stronger.priority),
    }
    types = [swapped.get(name, kind) for name, kind in DECLARED.types.items()]
    return Case(people, lambda found: found.together("both", "first"), declare(*types))


def list_settings() -> Iterator[tuple[str, Case]]:
    """A case for every setting that a type of the seed has."""
    for kind in DECLARED.types.values():
        yield f"{kind.name}.status", status(kind)
        yield f"{kind.name}.max_holders", max_holders(kind)
        yield f"{kind.name}.over_limit", over_limit(kind)
        if kind.max_values == 1:
            yield f"{kind.name}.values_per_person", values_per_person(kind)
        elif kind.max_values:
            yield f"{kind.name}.max_values", max_values(kind)
        if kind.window_days:
            yield f"{kind.name}.window_days", window_days(kind)
        for what in sorted(kind.contradicted_by):
            yield f"{kind.name}.contradicted_by {what}", contradicted_by(kind, what)
    for stronger, weaker in pairwise(DECLARED.types.values()):
        yield f"{stronger.name}.priority", priority(stronger, weaker)


SETTINGS = dict(list_settings())
# How blocked values of the seed look, by type and the value or pattern itself.
BLOCKED = {
    ("*", "^[-0]*$"): "00000000-0000-0000-0000-000000000000",
    ("*", "^(null|none|nil|nan|undefined|unknown|anonymous|n/a|test|无|空|未知)$"): "undefined",
    ("*", "[*]"): "138****1234",
    ("mobile", "+8613800138000"): "+8613800138000",
    ("mobile", "+8612345678901"): "+8612345678901",
    ("mobile", "^[+]86(0+|1+|2+|3+|4+|5+|6+|7+|8+|9+)$"): "+8611111111111",
    ("email", "^(test|null|none|no|noreply|no-reply|a|abc|123|admin|example)@"): "noreply@a.cn",
    ("anonymous_id", "9774d56d682e549c"): "9774d56d682e549c",
}
NOBODY = {"^(测试": "测试员", "^[-+*0-9 ]+$": "139 0571 0099", "^(test": "test 1"}


def without(blocked: BlockedValue) -> Declaration:
    """The declaration with one row of the blocked values less."""
    kept = tuple(one for one in DECLARED.blocked if one != blocked)
    assert len(kept) == len(DECLARED.blocked) - 1
    return replace(DECLARED, blocked=kept)


def blocked_case(blocked: BlockedValue) -> Case:
    if blocked.identifier_type == "name":
        name = next(word for start, word in NOBODY.items() if blocked.blocked.startswith(start))
        people = {"known": record(PHONE, name="王伟"), "unknown": record(PHONE, name=name)}
        return Case(people, joined, without(blocked))
    kind = blocked.identifier_type.replace("*", "login_id")
    value = BLOCKED[blocked.identifier_type, blocked.blocked]
    return Case({key: record(Named(kind, value)) for key in "ab"}, alone, without(blocked))


def apart(prefix: str, people: Mapping[str, Person]) -> dict[str, Person]:
    """The same records with keys and values of their own, so that cases can be resolved at once."""
    return {
        f"{prefix}/{key}": replace(
            person, names=tuple(replace(n, value=f"{prefix}/{n.value}") for n in person.names)
        )
        for key, person in people.items()
    }


@pytest.fixture(scope="module")
def sound() -> dict[str, Outcome]:
    """What becomes of the records of every case as things are declared, by case."""
    world = {}
    for name, case in SETTINGS.items():
        world |= apart(name, case.people)
    found = resolve_people(world)
    return {
        name: Outcome(
            {
                frozenset(key.removeprefix(f"{name}/") for key in group)
                for group in found.groups
                if next(iter(group)).startswith(f"{name}/")
            },
            set(),
        )
        for name in SETTINGS
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_taking_a_setting_away_is_noticed(name: str, sound: dict[str, Outcome]) -> None:
    case = SETTINGS[name]
    assert case.holds(sound[name]), sound[name].groups
    broken = resolve_people(case.people, case.broken)
    assert not case.holds(broken), broken.groups


@pytest.mark.parametrize("blocked", DECLARED.blocked, ids=lambda one: one.blocked)
def test_taking_a_blocked_value_away_is_noticed(blocked: BlockedValue) -> None:
    case = blocked_case(blocked)
    assert case.holds(resolve_people(case.people))
    broken = resolve_people(case.people, case.broken)
    assert not case.holds(broken), broken.groups


def test_every_setting_of_the_seed_has_a_case() -> None:
    """Beside those that the models read: parent, scope and normaliser."""
    read_by_models = {"identifier_type", "because", "parent", "scope", "normaliser"}
    covered = {name.split(".")[1].split()[0] for name in SETTINGS}
    with (PROJECT / "seeds" / "identifiers.csv").open(encoding="utf-8") as file:
        columns = csv.DictReader(file).fieldnames
    assert columns
    assert set(columns) == covered | read_by_models
