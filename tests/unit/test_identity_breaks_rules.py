"""Each rule of the engine that no seed declares, switched off: its case then goes wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from person_cases import DECLARED, Named, Outcome, Person, record, resolve_people

from zhongtai.identity import (
    clusters,
    components,
    descriptions,
    evidence,
    guards,
    leftovers,
    names,
    settlement,
)

HUB = "mobile:+8613000000009"
PROVEN = Named("mobile", "+8613000000009", is_verified=True)
BACKUP = Named("mobile", "+8613000000009", needs_name=True)
CUSTOMERS = ("王伟", "李娜", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽")
KNOWN = {"birth_date": "1990-02-03", "city": "苏州市", "gender": "女", "dealer_code": "D1"}
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Rule:
    """Records, what must become of them, and what makes it so switched off."""

    people: Mapping[str, Person]
    holds: Callable[[Outcome], bool]
    off: Patch
    more: Mapping[str, Any] = field(default_factory=dict)


def never(owner: object, name: str, answer: object = False) -> Patch:
    """A rule that always gives one answer."""
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: answer)


def other(owner: object, name: str, value: object) -> Patch:
    """A constant, or a whole rule, that is another."""
    return lambda patch: patch.setattr(owner, name, value)


def reading(owner: object, name: str, sound: str, broken: str) -> Patch:
    """A statement (or each of several) without a part of its text."""

    def switch(patch: pytest.MonkeyPatch) -> None:
        found = getattr(owner, name)
        told = found if isinstance(found, str) else "\n".join(found)
        assert sound in told
        changed = (
            found.replace(sound, broken)
            if isinstance(found, str)
            else tuple(statement.replace(sound, broken) for statement in found)
        )
        patch.setattr(owner, name, changed)

    return switch


def visits(*shared: str) -> dict[str, Person]:
    """Customers for whom one value was written down."""
    return {name: record(*shared, name=name) for name in CUSTOMERS}


def namesakes(**known: str) -> Person:
    return record(name="欧阳若曦", **known)


RULES: Mapping[str, Rule] = {
    "an adviser's phone stays the adviser's": Rule(
        visits(HUB) | {key: record(HUB, name="孙涛") for key in ("contact", "order")},
        lambda found: found.together("contact", "order"),
        reading(guards, "_KEEP_NEWEST", "or o.name is not null", ""),
        {"owners": {"+8613000000009": "孙涛"}},
    ),
    "a hub stays whose it was proved to be": Rule(
        visits(HUB) | {key: record(PROVEN, f"login_id:{key}") for key in "ab"},
        lambda found: found.together("a", "b"),
        reading(guards, "_KEEP_NEWEST", "f.is_verified or", ""),
    ),
    "who has no name has a phone when others have not": Rule(
        {
            "then": record(f"{HUB}@2020-01-01..2021-05-01", name="王伟"),
            "now": record(f"{HUB}@2025-01-01..2026-03-01", name="李娜"),
            "survey": record(f"{HUB}@2025-06-01"),
        },
        lambda found: found.together("now", "survey"),
        never(settlement._Holder, "overlaps", True),
    ),
    "who had a phone long ago is no family": Rule(
        {
            "then": record(f"{HUB}@2020-01-01", name="王伟"),
            "now": record(f"{HUB}@2025-01-01", name="李娜"),
        },
        lambda found: found.reasons() == {"recycled"} and not found.shared,
        never(settlement._Holder, "is_long_from"),
    ),
    "who has no name is whose phone it is mostly": Rule(
        {
            **{f"own{number}": record(HUB, name="王伟") for number in range(4)},
            "borrowed": record(HUB, name="李娜"),
            "survey": record(HUB),
        },
        lambda found: found.together("own0", "survey"),
        other(settlement, "_CLEARLY_MORE", 99),
    ),
    "who has no name is whose own phone it is": Rule(
        {
            "borrowed": record(HUB, "login_id:1", name="王伟"),
            **{
                f"his{number}": record("login_id:1", "mobile:+8613000000001", name="王伟")
                for number in range(2)
            },
            "hers": record(HUB, name="李娜"),
            "survey": record(HUB),
        },
        lambda found: found.together("hers", "survey"),
        never(clusters.Clusters, "prefers", True),
    ),
    "a backup phone joins only with the name": Rule(
        {
            "contact": record(BACKUP, "unionid:U"),
            "wife": record(HUB),
        },
        lambda found: not found.together("contact", "wife"),
        reading(
            components, "_TAKE_ALL", "select * from identity_state.facts where not needs_name",
            "select * from identity_state.facts",
        ),
    ),
    "a backup phone with the name joins": Rule(
        {"contact": record(BACKUP, name="王伟"), "referral": record(HUB, name="王伟")},
        lambda found: found.together("contact", "referral"),
        reading(components, "_TAKE_ALL", "where n.is_full_name and", "where false and"),
    ),
    "who proved to hold a backup phone is somebody else": Rule(
        {
            "contact": record("mobile:+8613900000001", BACKUP, "unionid:U", name="王伟"),
            "order": record(HUB, "unionid:U", name="王伟"),
            "account": record(PROVEN, "login_id:2"),
        },
        lambda found: not found.together("order", "account"),
        never(clusters.Clusters, "has_backup"),
    ),
    "names that sound the same are one": Rule(
        {"a": record(HUB, name="杨君怡"), "b": record(HUB, name="楊军怡")},
        lambda found: found.together("a", "b"),
        other(names, "_spoken", lambda name, _: name),
    ),
    "a cut name is the same": Rule(
        {"a": record(HUB, name="欧阳若曦"), "b": record(HUB, name="欧阳若")},
        lambda found: found.together("a", "b"),
        other(clusters, "names_agree", lambda left, right, _: left == right),
    ),
    "a title is no name": Rule(
        {"a": record(HUB, name="王伟"), "b": record(HUB, name="王先生")},
        lambda found: found.together("a", "b"),
        other(evidence, "name_key_sql", lambda column: column),
    ),
    "a surname alone contradicts nobody": Rule(
        {"a": record(HUB, name="王伟"), "b": record(HUB, name="李")},
        lambda found: found.together("a", "b"),
        lambda patch: (
            patch.setattr(evidence, "full_name_sql", lambda _: "true"),
            patch.setattr(names, "is_full_name", lambda _: True),
        )[0],
    ),
    "whose car it is makes nobody's phone shared": Rule(
        {"buyer": record(HUB, name="王伟"), "survey": record(HUB, hint="李娜")},
        lambda found: not found.shared,
        never(settlement, "_is_by_hint"),
    ),
    "whose car it is matches nobody": Rule(
        {"owner": namesakes(**KNOWN), "survey": record(hint="欧阳若曦", **KNOWN)},
        lambda found: not found.together("owner", "survey"),
        reading(descriptions, "_PLACE_CLUSTERS", "and n.is_own_name", ""),
    ),
    "a name of several persons matches nobody by town alone": Rule(
        {
            "known": namesakes(**KNOWN),
            "lead": namesakes(gender="女", city="苏州市", dealer_code="D1"),
            "namesake": namesakes(birth_date="1961-07-08", dealer_code="D7"),
        },
        lambda found: not found.together("known", "lead"),
        reading(descriptions, "_FIND_NAMESAKES", "having count(*) > 1", "having count(*) > 99"),
    ),
    "who has another identity card is another person, however alike": Rule(
        {
            f"{number}": record(f"id_card:{number}", name="欧阳若曦", **KNOWN)
            for number in (1, 2)
        },
        lambda found: not found.together("1", "2"),
        reading(descriptions, "_SEPARATE", "t.max_values = 1", "false"),
    ),
    "who proved another phone is another person, however alike": Rule(
        {
            f"{number}": record(
                Named("mobile", f"+861300000000{number}", is_verified=True),
                name="欧阳若曦", **KNOWN,
            )
            for number in range(2)
        },
        lambda found: not found.together("0", "1"),
        reading(descriptions, "_SEPARATE", "where f.is_verified and", "where false and"),
    ),
    "a shop's phone says nothing about who is alike": Rule(
        visits(HUB) | {key: record(HUB, name="欧阳若曦", gender="女") for key in "ab"},
        lambda found: not found.together("a", "b"),
        reading(
            descriptions, "_LIST_KNOWN",
            "where e.value_hash not in (select value_hash from identity_state.hubs)", "",
        ),
    ),
    "who was told apart stays apart": Rule(
        {"a": record("login_id:1"), "b": record("login_id:1")},
        lambda found: not found.together("a", "b"),
        never(clusters.Clusters, "_is_forbidden"),
        {"cannot": (("a", "b"),)},
    ),
    "who was told apart stays apart, however alike": Rule(
        {key: namesakes(**KNOWN) for key in "ab"},
        lambda found: not found.together("a", "b"),
        reading(leftovers, "_TOLD_APART", "where l.component", "where false and l.component"),
        {"cannot": (("a", "b"),)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_switching_a_rule_of_the_engine_off_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RULES[name]
    found = resolve_people(rule.people, DECLARED, **rule.more)
    assert rule.holds(found), found
    rule.off(monkeypatch)
    broken = resolve_people(rule.people, replace(DECLARED), **rule.more)
    assert not rule.holds(broken), broken
