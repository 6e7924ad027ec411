"""metrics_wecom_fans_monthly: whom staff win on WeCom, and who of them comes to a store."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import compiled, give_dealers, give_visits

from reference.fans import Fan, wecom_fans

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TABLE, RATE = "metrics_wecom_fans_monthly", "fan_to_visit_rate_90"
ADDED = as_utc("2026-02-28T12:00")
# a leap day's place, the ends of months at local midnight, 90 days before as-of and as-of itself
MOMENTS = ["2026-02-28T23:59:59", "2026-03-01", "2026-06-03", "2026-06-02T23:59:59"]
MOMENTS += ["2026-06-03T00:00:01", "2026-08-31T23:59:59", "2026-09-01"]
STEPS = [-DAY, -SECOND, timedelta(0), SECOND, DAY, 89 * DAY, 90 * DAY - SECOND, 90 * DAY]


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def give(bench: Bench, persons: Mapping[str, Fan]) -> None:
    """Stage what persons did; staff S-<dealer> works at the dealer, S- at none."""
    dealers = {dealer for fan in persons.values() for _at, dealer in fan.added}
    give_dealers(bench, dict.fromkeys(sorted(dealers - {""}), "华东"))
    staff = [
        {"record_key": f"S-{d}", "staff_id": f"S-{d}", "dealer_code": d or None} for d in dealers
    ]
    bench.given("stg_workforce__staff", staff)
    contacts = [(who, at, dealer) for who, fan in persons.items() for at, dealer in fan.added]
    bench.given(
        "stg_crm__wecom_contacts",
        [
            {"record_key": f"W{n:06}", "staff_id": f"S-{dealer}", "added_at": at}
            for n, (_who, at, dealer) in enumerate(contacts)
        ],
    )
    bench.persons("crm", "wecom_contacts", {f"W{n:06}": c[0] for n, c in enumerate(contacts)})
    give_visits(bench, {who: fan.visits for who, fan in persons.items()})
    numbers = [
        {"identifier_type": "mobile", "identifier_value": who, "one_id": who, "is_shared": False}
        for who, fan in persons.items()
        if fan.has_number
    ]
    bench.given("bridge_user_identifiers", numbers)


@pytest.mark.parametrize(
    ("after", "came"),
    [(-SECOND, 0), (timedelta(0), 1), (90 * DAY - SECOND, 1), (90 * DAY, 0)],
)
def test_a_fan_comes_within_90_days(bench: Bench, after: timedelta, came: int) -> None:
    give(bench, {"u1": Fan([(ADDED, "D1")], [ADDED + after])})
    row = only(bench.build(TABLE))
    assert (row["month"], row["dealer_code"]) == (date(2026, 2, 1), "D1")
    assert ratio(row, RATE) == (came, 1)


@pytest.mark.parametrize(("before", "ripe"), [(90 * DAY, 1), (90 * DAY - SECOND, 0)])
def test_who_may_still_come_is_not_in_the_denominator(
    bench: Bench, before: timedelta, ripe: int
) -> None:
    added = AS_OF - before
    give(bench, {"u1": Fan([(added, "D1")], [added])})
    row = only(bench.build(TABLE))
    assert ratio(row, RATE) == (ripe, ripe)
    assert (row["fans_gained"], row["fans_matched"]) == (1, 1)


def test_a_fan_of_two_dealers_is_won_by_the_first(bench: Bench) -> None:
    give(bench, {"u1": Fan([(ADDED + DAY, "D1"), (ADDED, "D2")], [ADDED + DAY])})
    row = only(bench.build(TABLE))
    assert (row["dealer_code"], row["fans_gained"]) == ("D2", 1)


@pytest.mark.parametrize(
    "identifier",
    [
        {"identifier_type": "unionid", "is_shared": False},
        {"identifier_type": "mobile", "is_shared": True},
    ],
)
def test_who_has_no_number_of_their_own_is_not_matched(
    bench: Bench, identifier: Mapping[str, object]
) -> None:
    give(bench, {"u1": Fan([(ADDED, "D1")], [ADDED])})
    bench.given(
        "bridge_user_identifiers", [{"one_id": "u1", "identifier_value": "x", **identifier}]
    )
    row = only(bench.build(TABLE))
    assert (row["fans_gained"], row["fans_matched"]) == (1, 0)
    assert ratio(row, RATE) == (0, 0)


def test_two_numbers_are_one_fan(bench: Bench) -> None:
    give(bench, {"u1": Fan([(ADDED, "D1")])})
    number = {"identifier_type": "mobile", "one_id": "u1", "is_shared": False}
    bench.given("bridge_user_identifiers", [number | {"identifier_value": n} for n in ("x", "y")])
    assert ratio(only(bench.build(TABLE)), RATE) == (0, 1)


def draw(random: Random) -> Fan:
    """A person whose steps crowd around the limits; no two contacts at the same moment."""
    pick = random.choice
    start = as_utc(pick(MOMENTS))
    times: set[datetime] = {start + pick(STEPS) for _ in range(random.randrange(4))}
    added = [(at, pick(["D1", "D2", ""])) for at in sorted(times)]
    random.shuffle(added)
    visits = [start + pick(STEPS) for _ in range(random.randrange(3))]
    return Fan(added, [at for at in visits if at < AS_OF], pick([True, True, False]))


def test_two_hundred_worlds_count_what_the_definition_says(bench: Bench) -> None:
    expected: dict[tuple[date, str], Counter[str]] = {}
    everybody: dict[str, Fan] = {}
    for world in range(200):
        random = Random(world)  # noqa: S311  # repeatable, not secret
        persons = {f"w{world}-{number}": draw(random) for number in range(4)}
        everybody |= persons
        for key, counts in wecom_fans(list(persons.values()), AS_OF).items():
            expected.setdefault(key, Counter()).update(counts)
    give(bench, everybody)
    rows = {(row.pop("month"), row.pop("dealer_code")): row for row in bench.build(TABLE)}
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        assert ratio(row, RATE)[1] <= row["fans_matched"]
        counts = {name: value for name, value in row.items() if isinstance(value, int)}
        assert counts == {name: expected[key][name] for name in counts}
    total: Counter[str] = sum(expected.values(), Counter())
    assert len(total) == 4
    assert min(total.values()) > 20
