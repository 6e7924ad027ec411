"""metrics_lifecycle_daily and metrics_nurture_pool_daily, against states looked at day by day."""

from collections import Counter
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from standing_cases import REGIONS, Persons, give
from users_cases import Row, compiled, event, give_dealers, give_events

from reference.daily import (
    Person,
    dwell_days,
    lifecycle,
    percentile,
    pool_moves,
    pool_sizes,
)
from reference.standing import Standing

PEOPLE, WORLDS = 2, 200
DAY = timedelta(days=1)
LAST = date(2026, 8, 31)
POOL_KEYS = ("date", "pool", "from_tier", "to_tier", "region")


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def first_seen(bench: Bench, seen: dict[str, Any]) -> None:
    """Say when each person's app record was first seen."""
    bench.given("int_identity_records", [
        {"source": "app", "entity": "events", "record_key": name, "first_seen_at": at}
        for name, at in seen.items()
    ])  # fmt: skip


def earliest(standing: Standing) -> datetime:
    """The first time that the person's rows name."""
    rows = [*standing.events, *standing.store_visits, *standing.test_drives]
    rows += [*standing.leads, *standing.follow_ups, *standing.orders]
    times = [at for row in rows for at in row.values() if isinstance(at, datetime)]
    return min([*times, *standing.delivered.values()], default=AS_OF - 100 * DAY)


@pytest.fixture(scope="module")
def worlds() -> tuple[Bench, list[Person]]:
    """Many small worlds side by side: what happens to one person touches no other."""
    bench, persons, seen = Bench(compiled()), [], {}
    standings = {}
    for world in range(WORLDS):
        draws = Persons(world)
        for number in range(PEOPLE):
            name = f"w{world:03d}u{number}"
            standings[name] = draws.person(name)
            seen[name] = earliest(standings[name]) - draws.random.choice([0, 0, 1, 40]) * DAY
            persons.append(Person(standings[name], seen[name], REGIONS))
    give(bench, standings)
    first_seen(bench, seen)
    bench.given("stg_dms__dealers", [
        {"record_key": code, "dealer_code": code, "region": region}
        for code, region in REGIONS.items()
    ])  # fmt: skip
    return bench, persons


def counts(rows: list[Row], keys: tuple[str, ...]) -> dict[Hashable, Row]:
    found = {tuple(row[key] for key in keys): row for row in rows}
    assert len(found) == len(rows)
    return found


def some_days() -> list[date]:
    """Days on which the drawn times crowd, and some others."""
    random = Random(3)  # noqa: S311  # repeatable, not secret
    crowded = [LAST - n * DAY for n in (0, 1, 29, 30, 31, 89, 90, 91, 180, 181, 331)]
    return [*crowded, *(LAST - random.randrange(500) * DAY for _ in range(6))]


def test_stages_are_counted_at_the_end_of_each_day(
    worlds: tuple[Bench, list[Person]],
) -> None:
    bench, persons = worlds
    days = sorted(set(some_days()))
    expected = lifecycle(persons, days)
    rows = bench.build("metrics_lifecycle_daily")
    assert max(row["date"] for row in rows) == LAST
    found = counts(rows, ("date", "lifecycle_stage", "region"))
    names = ("users", "users_entered", "users_left")
    shown = {k: {n: row[n] for n in names} for k, row in found.items() if k[0] in days}
    assert shown == {key: {name: c[name] for name in names} for key, c in expected.items()}
    assert {key[1] for key in shown} == {"认知", "对比", "决策", "下单", "车主", "复购", "流失"}


def test_on_every_day_the_stages_sum_to_who_was_known_and_balance_with_the_day_before(
    worlds: tuple[Bench, list[Person]],
) -> None:
    bench, persons = worlds
    bench.build("metrics_lifecycle_daily")
    found = bench.query(
        "select date, sum(users) as users, sum(users_entered - users_left) as gained"
        " from metrics.metrics_lifecycle_daily group by date order by date"
    )
    firsts = Counter((p.first_seen + timedelta(hours=8)).date() for p in persons)
    known = 0
    for row in found:
        assert row["gained"] == firsts[row["date"]]
        known += firsts[row["date"]]
        assert row["users"] == known
    assert known == PEOPLE * WORLDS


def test_pools_are_counted_at_the_end_of_each_day(worlds: tuple[Bench, list[Person]]) -> None:
    bench, persons = worlds
    days = sorted(set(some_days()))
    rows = counts(bench.build("metrics_nurture_pool_daily"), POOL_KEYS)
    found = {k: row["pool_size"] for k, row in rows.items() if k[0] in days and row["pool_size"]}
    assert found == pool_sizes(persons, days)
    assert len({key[1] for key in found}) == 4


def test_pools_cohorts_and_promises_are_what_the_definitions_say(
    worlds: tuple[Bench, list[Person]],
) -> None:
    bench, persons = worlds
    rows = counts(bench.build("metrics_nurture_pool_daily"), POOL_KEYS)
    expected = pool_moves(persons, AS_OF)
    names = ["entrants", "exits"]
    for name in ("upgrade_rate_30d", "pool_leak_rate_30d", "tier_precision", "nurture_touch_gap"):
        names += [f"{name}_num", f"{name}_den"]
        for row in rows.values():
            ratio(row, name)
    found = {key: {n: row[n] for n in names if row[n]} for key, row in rows.items()}
    assert {k: row for k, row in found.items() if row} == {
        key: {name: count for name, count in row.items() if count} for key, row in expected.items()
    }
    total: Counter[str] = sum(expected.values(), Counter())
    assert min(total[name] for name in names) > 0
    dwelt = dwell_days(persons)
    for key, row in rows.items():
        for name, share in (("dwell_days_p50", 0.5), ("dwell_days_p90", 0.9)):
            days = percentile(dwelt[key], share) if key in dwelt else None
            assert row[name] == (None if days is None else pytest.approx(days)), key


def lead(tier: str, at: str, **values: object) -> Row:
    row = {"record_key": "L1", "lead_id": "L1", "status": "有效", "tier": tier}
    return row | {"dealer_code": "D1", "created_at": as_utc(at)} | values


def give_lead(bench: Bench, row: Row, *follow_ups: tuple[str, str, str]) -> None:
    """A person known by one lead; follow-ups are (local time, rating before, after)."""
    give_dealers(bench, {"D1": "华东"})
    bench.given("stg_crm__leads", [row])
    bench.persons("crm", "leads", {"L1": "u1"})
    bench.given("stg_crm__follow_ups", [
        {"record_key": f"F{n}", "follow_up_id": f"F{n}", "lead_id": "L1",
         "followed_up_at": as_utc(at), "tier_before": before, "tier_after": after}
        for n, (at, before, after) in enumerate(follow_ups)
    ])  # fmt: skip
    bench.given("int_identity_records", [
        {"source": "crm", "entity": "leads", "record_key": "L1", "first_seen_at": row["created_at"]}
    ])  # fmt: skip


def test_what_happens_at_midnight_belongs_to_the_day_that_begins(bench: Bench) -> None:
    give_lead(bench, lead("H", "2026-08-01"), ("2026-08-03T00:00", "B", "H"))
    sizes = [row for row in bench.build("metrics_nurture_pool_daily") if row["pool_size"]]
    days = {row["date"].day: (row["pool"], row["from_tier"], row["to_tier"]) for row in sizes}
    assert [days[day] for day in (1, 2, 3, 4)] == [
        ("孵化池", "", "B"),
        ("孵化池", "B", "B"),
        ("潜客池", "B", "H"),
        ("潜客池", "H", "H"),
    ]
    assert max(days) == 31
    assert {row["region"] for row in sizes} == {"华东"}


def test_who_is_raised_within_the_day_counts_as_raised(bench: Bench) -> None:
    at = ("2026-06-01T10:00", "B", "H")
    give_lead(bench, lead("H", "2026-06-01T09:00"), at)
    rows = bench.build("metrics_nurture_pool_daily")
    entries = sorted((r for r in rows if r["entrants"]), key=lambda row: row["to_tier"])
    assert [(row["pool"], row["to_tier"], row["entrants"]) for row in entries] == [
        ("孵化池", "B", 1),
        ("潜客池", "H", 1),
    ]
    assert ratio(entries[0], "upgrade_rate_30d") == (1, 1)
    assert entries[0]["dwell_days_p50"] is None


def test_percentiles_of_equal_stays_are_equal(bench: Bench) -> None:
    # of 2282 seconds the interpolated p90 was less than the p50 by the last binary digit
    give_lead(bench, lead("H", "2026-06-01T09:00"))
    leads = [lead("H", "2026-06-01T09:00", record_key=key, lead_id=key) for key in ("L1", "L2")]
    bench.given("stg_crm__leads", leads)
    bench.persons("crm", "leads", {"L1": "u1", "L2": "u2"})
    bench.given("stg_crm__follow_ups", [
        {"record_key": f"F-{key}", "follow_up_id": f"F-{key}", "lead_id": key,
         "followed_up_at": as_utc("2026-06-01T09:38:02"), "tier_before": "B", "tier_after": "H"}
        for key in ("L1", "L2")
    ])  # fmt: skip
    row = only([r for r in bench.build("metrics_nurture_pool_daily") if r["exits"]])
    assert (row["exits"], row["dwell_days_p50"]) == (2, row["dwell_days_p90"])
    assert row["dwell_days_p50"] == pytest.approx(2282 / 86400)


@pytest.mark.parametrize(("at", "raised"), [("2026-07-01T08:59:59", 1), ("2026-07-01T09:00", 0)])
def test_a_rise_after_thirty_days_is_no_upgrade(bench: Bench, at: str, raised: int) -> None:
    give_lead(bench, lead("A", "2026-06-01T09:00"), (at, "C", "A"))
    rows = bench.build("metrics_nurture_pool_daily")
    row = only([r for r in rows if r["upgrade_rate_30d_den"]])
    assert (row["date"], ratio(row, "upgrade_rate_30d")) == (date(2026, 6, 1), (raised, 1))


def test_an_order_in_time_keeps_the_promise_of_the_rating(bench: Bench) -> None:
    ordered = as_utc("2026-06-08T08:59:59")
    give_lead(bench, lead("O", "2026-06-01T09:00", small_ordered_at=ordered),
              ("2026-06-01T09:00", "H", "H"))  # fmt: skip
    rows = bench.build("metrics_nurture_pool_daily")
    row = only([r for r in rows if r["tier_precision_den"]])
    assert (row["to_tier"], ratio(row, "tier_precision")) == ("H", (1, 1))


def test_a_person_moves_to_the_region_of_the_dealer_last_dealt_with(bench: Bench) -> None:
    give_lead(bench, lead("A", "2026-08-01"))
    give_dealers(bench, {"D1": "华东", "D2": "华南"})
    bench.given("stg_dms__store_visits", [
        {"record_key": "S1", "visit_id": "S1", "dealer_code": "D2",
         "arrived_at": as_utc("2026-08-20T12:00")}
    ])  # fmt: skip
    bench.persons("dms", "store_visits", {"S1": "u1"})
    rows = bench.build("metrics_lifecycle_daily")
    regions = {row["date"].day: row["region"] for row in rows if row["users"]}
    assert (regions[19], regions[20], regions[31]) == ("华东", "华南", "华南")
    assert len([row for row in rows if row["users_left"]]) == 1


def test_with_as_of_in_the_day_the_last_row_is_of_that_day(bench: Bench) -> None:
    noon = AS_OF + timedelta(hours=12)
    bench.connection.execute("update meta.run_context set as_of = ?", [noon])
    give_events(bench, [event("ClickFinance", noon - timedelta(hours=1), "u1", series_code="A")])
    first_seen(bench, {"u1": noon - timedelta(hours=1)})
    row = only(bench.build("metrics_lifecycle_daily"))
    assert (row["date"], row["lifecycle_stage"], row["users"]) == (date(2026, 9, 1), "决策", 1)
