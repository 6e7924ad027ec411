"""metrics_owner_care_monthly: owners after the sale, by hand and against the plain reference."""

from collections import Counter
from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled

from reference.owner_care import Owners, months_later, owner_care

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
SOLD = as_utc("2026-02-10T15:00")
WORLDS = 220


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def delivery(key: str = "V1", at: datetime = SOLD, **values: object) -> Row:
    row = {"delivered_at": at, "vin": f"VIN{key}", "buyer": "u1", "dealer_code": "D1"}
    return row | {"key": key, "staff_id": "S1", "is_returned": False} | values


def contact(at: datetime, vin: str | None = "VINV1", **values: object) -> Row:
    row = {"contacted_at": at, "vin": vin, "person": "u1", "is_proactive": True}
    return row | {"purpose": "用车关怀"} | values


def serviced(at: datetime, kind: str = "保养", mileage: int = 5_000) -> Row:
    return {"vin": "VINV1", "arrived_at": at, "service_kind": kind, "mileage": mileage}


def give(bench: Bench, owners: Owners) -> None:
    """Stage the rows; a delivery's buyer is the person of its order."""
    bench.given("stg_dms__deliveries", [
        {"record_key": row["key"], "delivery_id": row["key"], "order_no": row["key"],
         **{name: row[name] for name in ("vin", "delivered_at", "dealer_code", "staff_id")}}
        for row in owners.deliveries
    ])  # fmt: skip
    bench.given("stg_dms__orders", [
        {"record_key": row["key"], "order_no": row["key"],
         "status": "已退车" if row["is_returned"] else "已交车"}
        for row in owners.deliveries
    ])  # fmt: skip
    contacts = {f"K{number}": row for number, row in enumerate(owners.contacts)}
    names = ("vin", "contacted_at", "purpose", "is_proactive")
    bench.given("stg_crm__owner_contacts", [
        {"record_key": key, "contact_id": key, **{name: row[name] for name in names}}
        for key, row in contacts.items()
    ])  # fmt: skip
    bench.given("stg_dms__service_orders", [
        {"record_key": f"G{number}", "service_order_id": f"G{number}", **row}
        for number, row in enumerate(owners.service_orders)
    ])  # fmt: skip
    buyers = {row["key"]: row["buyer"] for row in owners.deliveries if row["buyer"]}
    bench.persons("dms", "orders", buyers)
    persons = {key: row["person"] for key, row in contacts.items() if row["person"]}
    bench.persons("crm", "owner_contacts", persons)
    bench.given_instead("int_referral_orders", [
        {"referral_id": f"R{number}", "order_no": f"R{number}", "member_one_id": row["member"],
         "ordered_at": row["ordered_at"], "is_valid": row["is_valid"]}
        for number, row in enumerate(owners.referrals)
    ])  # fmt: skip


def row_of(bench: Bench, *contacts: Row, **values: object) -> Row:
    give(bench, Owners(AS_OF, [delivery(**values)], list(contacts)))
    return only(bench.build("metrics_owner_care_monthly"))


@pytest.mark.parametrize(
    ("given", "touches", "contacts"),
    [
        pytest.param(contact(SOLD), 1, 1, id="at-the-delivery"),
        pytest.param(contact(SOLD - SECOND), 0, 0, id="before-it"),
        pytest.param(contact(SOLD + 90 * DAY - SECOND), 1, 1, id="at-the-end"),
        pytest.param(contact(SOLD + 90 * DAY), 0, 0, id="after-the-end"),
        pytest.param(contact(SOLD + DAY, purpose="保养提醒"), 0, 1, id="reminder"),
        pytest.param(contact(SOLD + DAY, purpose=None), 1, 1, id="without-a-purpose"),
        pytest.param(contact(SOLD + DAY, is_proactive=False), 0, 1, id="the-owner-called"),
        pytest.param(contact(SOLD + DAY, vin=None), 1, 1, id="by-the-person"),
        pytest.param(contact(SOLD + DAY, vin=None, person="u2"), 0, 0, id="another-person"),
        pytest.param(contact(SOLD + DAY, vin="VINV2"), 0, 0, id="about-another-car"),
        pytest.param(contact(SOLD + DAY, person="u2"), 1, 1, id="the-family-about-the-car"),
    ],
)
def test_touches_are_active_contacts_but_reminders(
    bench: Bench, given: Row, touches: int, contacts: int
) -> None:
    row = row_of(bench, given)
    assert ratio(row, "owner_touch_90d") == (touches, 1)
    assert row["proactive_share_den"] == contacts


@pytest.mark.parametrize(
    ("at", "is_day7"),
    [
        ("2026-02-14T23:59:59", 0),
        ("2026-02-15T00:00", 1),
        ("2026-02-19T23:59:59", 1),
        ("2026-02-20T00:00", 0),
    ],
)
def test_day_5_to_9_are_local_dates_after_the_delivery(bench: Bench, at: str, is_day7: int) -> None:
    row = row_of(bench, contact(as_utc(at), is_proactive=False))
    assert ratio(row, "day7_visit_rate") == (is_day7, 1)


@pytest.mark.parametrize(("sold", "mature"), [("2026-08-22T23:59", 1), ("2026-08-23T00:00", 0)])
def test_the_seventh_day_is_judged_when_day_9_is_over(bench: Bench, sold: str, mature: int) -> None:
    row = row_of(bench, at=as_utc(sold))
    assert (row["day7_visit_rate_den"], row["owner_touch_90d_den"]) == (mature, 0)


@pytest.mark.parametrize(
    ("contacts", "silent"),
    [
        pytest.param([], 1, id="nothing"),
        pytest.param([contact(SOLD + DAY, is_proactive=False)], 1, id="only-the-owner-called"),
        pytest.param([contact(SOLD + 180 * DAY)], 1, id="after-180-days"),
        pytest.param([contact(SOLD + 180 * DAY - SECOND, purpose="保养提醒")], 0, id="reminder"),
    ],
)
def test_silence_ends_with_an_active_contact_of_any_purpose(
    bench: Bench, contacts: list[Row], silent: int
) -> None:
    assert ratio(row_of(bench, *contacts), "silent_180_rate") == (silent, 1)


def test_a_car_handed_over_after_local_midnight_belongs_to_the_new_month(bench: Bench) -> None:
    assert row_of(bench, at=as_utc("2026-03-01T00:00"))["month"] == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("second", "bought"),
    [
        pytest.param(delivery("V2", as_utc("2026-02-28T11:59:59")), 1, id="in-time"),
        pytest.param(delivery("V2", as_utc("2026-02-28T12:00")), 0, id="after-36-months"),
        pytest.param(delivery("V2", as_utc("2025-01-01"), is_returned=True), 0, id="given-back"),
        pytest.param(delivery("V2", as_utc("2025-01-01"), vin="VINV1"), 0, id="the-same-car"),
        pytest.param(delivery("V2", as_utc("2025-01-01"), buyer="u2"), 0, id="somebody-else"),
    ],
)
def test_another_car_within_36_months_is_a_repurchase(
    bench: Bench, second: Row, bought: int
) -> None:
    first = delivery(at=as_utc("2023-02-28T12:00"))
    give(bench, Owners(AS_OF, [first, second]))
    rows = {row["month"]: row for row in bench.build("metrics_owner_care_monthly")}
    assert ratio(rows[date(2023, 2, 1)], "repurchase_rate_36m") == (bought, 1)


def test_36_months_after_a_leap_day_are_over_on_28_february() -> None:
    assert months_later(as_utc("2024-02-29T12:00"), 36) == as_utc("2027-02-28T12:00")
    assert months_later(as_utc("2024-08-31T07:00"), 6) == as_utc("2025-02-28T07:00")


@pytest.mark.parametrize(
    ("visits", "active"),
    [
        pytest.param([], 0, id="never-seen"),
        pytest.param([serviced(as_utc("2025-09-01T00:00:01"))], 1, id="maintained-in-the-year"),
        pytest.param([serviced(as_utc("2025-09-01"))], 0, id="a-year-ago"),
        pytest.param([serviced(AS_OF - DAY, "事故", 9_999)], 1, id="not-driven-far"),
        pytest.param([serviced(AS_OF - DAY, "事故", 10_000)], 0, id="due-by-mileage"),
        pytest.param(
            [serviced(as_utc("2025-08-01")), serviced(AS_OF - DAY, "事故", 14_999)],
            1,
            id="counted-from-the-last-maintenance",
        ),
    ],
)
def test_a_car_is_active_while_it_is_not_overdue(
    bench: Bench, visits: list[Row], active: int
) -> None:
    give(bench, Owners(AS_OF, [delivery(at=as_utc("2025-03-01"))], [], visits))
    row = only(bench.build("metrics_owner_care_monthly"))
    assert ratio(row, "service_active") == (active, 1)


@pytest.mark.parametrize(
    ("referral", "counted"),
    [
        pytest.param({"ordered_at": SOLD - 365 * DAY}, 1, id="at-the-delivery"),
        pytest.param({"ordered_at": SOLD - 365 * DAY - SECOND}, 0, id="before-it"),
        pytest.param({"ordered_at": SOLD - SECOND}, 1, id="in-time"),
        pytest.param({"ordered_at": SOLD}, 0, id="after-12-months"),
        pytest.param({"ordered_at": SOLD - DAY, "is_valid": False}, 0, id="not-valid"),
        pytest.param({"ordered_at": SOLD - DAY, "member": "u2"}, 0, id="somebody-else"),
    ],
)
def test_an_owner_refers_with_a_valid_order_within_12_months(
    bench: Bench, referral: Row, counted: int
) -> None:
    owners = Owners(AS_OF, [delivery(at=SOLD - 365 * DAY)])
    owners.referrals = [{"member": "u1", "is_valid": True} | referral]
    give(bench, owners)
    row = only(bench.build("metrics_owner_care_monthly"))
    assert ratio(row, "referral_rate_12m") == (counted, 1)


def draw(seed: int) -> Owners:
    """A small world of its own dealer, with times on the ends of windows."""
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    pick, found = random.choice, Owners(AS_OF)
    ages = [5, 9, 10, 11, 89, 90, 91, 179, 180, 181, 365, 366, 1095, 1096, 1097, 1826, 1827, 2000]
    for number in range(random.randrange(1, 8)):
        at = AS_OF - pick(ages) * DAY - pick([-1, 0, 1, 7200, 70_000]) * SECOND
        found.deliveries.append(delivery(
            f"W{seed}V{number}", at, vin=f"W{seed}C{random.randrange(6)}",
            buyer=pick([f"W{seed}u0", f"W{seed}u1", f"W{seed}u2", None]),
            dealer_code=f"W{seed}", staff_id=pick(["S1", "S2", None]),
            is_returned=pick([False, False, False, True]),
        ))  # fmt: skip
    offsets = [0, 4, 5, 6, 7, 9, 10, 30, 89, 90, 91, 179, 180, 200]
    for _ in range(random.randrange(12)):
        sold = pick(found.deliveries)
        at = sold["delivered_at"] + pick(offsets) * DAY + pick([-1, 0, 1, 30_000]) * SECOND
        found.contacts.append(contact(
            at, pick([sold["vin"], None]), person=pick([sold["buyer"], f"W{seed}u0", None]),
            is_proactive=pick([True, False, False]),
            purpose=pick(["保养提醒", "用车关怀", "内容分享", None]),
        ))  # fmt: skip
    for _ in range(random.randrange(4)):
        sold = pick(found.deliveries)
        at = sold["delivered_at"] + pick([0, 100, 364, 365, 366]) * DAY - pick([0, 1]) * SECOND
        member = pick([sold["buyer"], f"W{seed}u0", None])
        found.referrals.append(
            {"member": member, "ordered_at": at, "is_valid": pick([True, False])}
        )
    for _ in range(random.randrange(6)):
        sold = pick(found.deliveries)
        at = pick([sold["delivered_at"], AS_OF - 366 * DAY]) + pick([1, 200, 364, 365]) * DAY
        found.service_orders.append(
            serviced(at, pick(["保养", "事故"]), pick([4_000, 9_000, 14_000, 19_000, None]))
            | {"vin": sold["vin"]}
        )
    return found


def test_owner_care_counts_what_its_definitions_say(bench: Bench) -> None:
    every = Owners(AS_OF)
    expected: dict[object, Counter[str]] = {}
    for seed in range(WORLDS):
        world = draw(seed)
        expected |= owner_care(world)
        every.deliveries += world.deliveries
        every.contacts += world.contacts
        every.service_orders += world.service_orders
        every.referrals += world.referrals
    give(bench, every)
    found = {
        (row["month"], row["dealer_code"], row["staff_id"]): row
        for row in bench.build("metrics_owner_care_monthly")
    }
    assert found.keys() == expected.keys()
    shown = {key: {name: row[name] for name in expected[key]} for key, row in found.items()}
    assert shown == expected
    for row in found.values():
        for name in ("owner_touch_90d", "proactive_share", "silent_180_rate", "service_active"):
            ratio(row, name)
    total: Counter[str] = sum(expected.values(), Counter())
    assert min(total[name] for name in next(iter(expected.values()))) > 10
