"""Single rules of commissions, referral orders and rewards, each on a few rows made for it."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from gate_checks import broken_checks
from metrics_bench import Bench, Project, as_utc, only, ratio
from money_cases import money_project

Car = tuple[str, str, str]  # buyer, adviser, local time of the delivery


@pytest.fixture(scope="module")
def project() -> Project:
    return money_project()


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def order(key: str, staff: str, at: str, **values: object) -> dict[str, Any]:
    """A car with a profit of 10,000 yuan, ordered, invoiced and delivered at one time."""
    row = {
        "record_key": key,
        "order_no": key,
        "staff_id": staff,
        "status": "已交车",
        "unit_profit_fen": 1_000_000,
        **dict.fromkeys(["large_ordered_at", "blue_invoiced_at", "updated_at"], as_utc(at)),
    }
    return row | values


def sell(bench: Bench, cars: Sequence[Car], **values: dict[str, object]) -> None:
    """Orders O1, O2, … and their deliveries; `values` change single orders."""
    keys = [f"O{number}" for number, _car in enumerate(cars, 1)]
    bench.given(
        "stg_dms__orders",
        [
            order(key, staff, at, **values.get(key, {}))
            for key, (_who, staff, at) in zip(keys, cars, strict=True)
        ],
    )
    bench.given(
        "stg_dms__deliveries",
        [
            {"record_key": f"V{k}", "order_no": k, "delivered_at": as_utc(at)}
            for k, (_who, _staff, at) in zip(keys, cars, strict=True)
        ],
    )
    buyers = {key: who for key, (who, _staff, _at) in zip(keys, cars, strict=True)}
    bench.persons("dms", "orders", {k: who for k, who in buyers.items() if who[0] == "u"})
    bench.given(
        "bridge_organisation_records",
        [
            {"source": "dms", "entity": "orders", "record_key": key, "organisation_id": who}
            for key, who in buyers.items()
            if who[0] == "o"
        ],
    )


def refer(bench: Bench, member_is: str = "u1", **values: object) -> None:
    """O2 was referred by a member, who is a person that bought, or did not."""
    bench.given("stg_partner__members", [{"record_key": "M1", "member_code": "M1"}])
    bench.persons("partner", "members", {"M1": member_is})
    row = {
        "record_key": "R1",
        "referral_id": "R1",
        "member_code": "M1",
        "order_no": "O2",
        "status": "有效",
        "referred_at": as_utc("2026-05-01"),
        "reserved_at": as_utc("2026-05-01"),
        "buy_expires_at": as_utc("2026-08-01"),
        "updated_at": as_utc("2026-05-01"),
    }
    bench.given("stg_partner__referrals", [row | values])


def paid(bench: Bench) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Accrued and reversed by local month, adviser and component."""
    return {
        (f"{row['month']:%Y-%m}", row["staff_id"], row["component"]): (
            row["accrued_fen"],
            row["reversed_fen"],
        )
        for row in bench.build("metrics_commission_monthly")
    }


def test_a_car_handed_over_at_midnight_belongs_to_the_new_month(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-06-30T23:59:59"), ("u2", "A", "2026-07-01T00:00:00")])
    assert paid(bench) == {
        ("2026-06", "A", "first_deal"): (100_000, 0),
        ("2026-07", "A", "first_deal"): (100_000, 0),
    }


def test_a_red_invoice_takes_back_in_its_own_month(bench: Bench) -> None:
    red: dict[str, object] = {"red_invoiced_at": as_utc("2026-08-01"), "status": "已退车"}
    sell(bench, [("u1", "A", "2026-06-30T23:59:59")], O1=red)
    assert paid(bench) == {
        ("2026-06", "A", "first_deal"): (100_000, 0),
        ("2026-08", "A", "first_deal"): (0, 100_000),
    }
    june = bench.build("metrics_commission_monthly")
    assert sorted(ratio(row, "clawback_rate") for row in june) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("first", "second", "earns"),
    [
        ("2023-06-30T10:00:00", "2026-06-30T10:00:00", True),
        ("2023-06-30T10:00:00", "2026-06-30T09:59:59", False),
        ("2020-02-29T10:00:00", "2023-02-28T10:00:00", True),
        ("2023-03-01T00:00:00", "2026-03-01T00:00:00", True),
        ("2023-03-01T00:00:00", "2026-02-28T23:59:59", False),
    ],
)
def test_a_second_car_pays_the_first_adviser_after_36_months(
    bench: Bench, first: str, second: str, *, earns: bool
) -> None:
    sell(bench, [("u1", "A", first), ("u1", "B", second)])
    found = {key: fen for key, fen in paid(bench).items() if key[2] != "first_deal"}
    assert found == ({(second[:7], "A", "repurchase"): (50_000, 0)} if earns else {})
    assert not any(key[1] == "B" for key in paid(bench))


RATES = ["component", "rate_numerator", "rate_denominator", "min_months", "counts_household"]
HOUSEHOLD = [
    dict(zip(RATES, rate, strict=True)) | {"valid_from": date(2000, 1, 1)}
    for rate in [("first_deal", 10, 100, None, None), ("repurchase", 5, 100, 36, True)]
]
FIRST, AGAIN = "2023-06-30T10:00:00", "2026-06-30T10:00:00"


def live_together(bench: Bench, *pairs: tuple[str, str]) -> None:
    names = ("one_id", "related_one_id")
    related = [dict(zip(names, pair, strict=True)) for pair in pairs]
    bench.given(
        "bridge_user_relationships", [pair | {"relationship": "household"} for pair in related]
    )


def test_a_household_counts_for_nothing_unless_the_rate_says_so(bench: Bench) -> None:
    live_together(bench, ("u1", "u2"))
    sell(bench, [("u1", "A", FIRST), ("u2", "B", AGAIN)])
    assert {key[1:] for key in paid(bench)} == {("A", "first_deal"), ("B", "first_deal")}


@pytest.mark.parametrize(
    ("buyer", "seller", "at", "earned"),
    [
        # the seller keeps the first deal of a new customer, the household's adviser has the rest
        ("u2", "B", AGAIN, {("B", "first_deal"): 100_000, ("A", "repurchase"): 50_000}),
        ("u2", "A", AGAIN, {("A", "repurchase"): 50_000}),
        ("u2", "A", "2026-06-30T09:59:59", {("A", "first_deal"): 100_000}),
        # not of the household of u1, who only knows u2
        ("u3", "B", AGAIN, {("B", "first_deal"): 100_000}),
        # a company has no household
        ("o1", "B", AGAIN, {("B", "first_deal"): 100_000}),
    ],
)
def test_a_car_of_the_household_is_a_repurchase_where_the_rate_counts_it(
    bench: Bench, buyer: str, seller: str, at: str, earned: dict[tuple[str, str], int]
) -> None:
    bench.given("commission_rates", HOUSEHOLD)
    live_together(bench, ("u1", "u2"), ("u2", "u3"))
    sell(bench, [("u1", "A", FIRST), (buyer, seller, at)])
    june = {key[1:]: fen for key, (fen, _back) in paid(bench).items() if key[0] == "2026-06"}
    assert june == earned


@pytest.mark.parametrize(("own", "adviser"), [(FIRST, "C"), ("2024-06-30", "A")])
def test_an_own_first_car_goes_before_one_of_the_household(
    bench: Bench, own: str, adviser: str
) -> None:
    bench.given("commission_rates", HOUSEHOLD)
    live_together(bench, ("u1", "u2"))
    sell(bench, [("u1", "A", "2020-01-01"), ("u2", "C", own), ("u2", "B", AGAIN)])
    june = {key[1:]: fen for key, (fen, _back) in paid(bench).items() if key[0] == "2026-06"}
    assert june == {(adviser, "repurchase"): 50_000}


def test_two_dealers_sell_to_one_person_and_to_a_company_one_first_car_each(bench: Bench) -> None:
    sell(
        bench,
        [
            ("u1", "A", "2026-06-01"),
            ("u1", "B", "2026-06-02"),
            ("o1", "C", "2026-06-03"),
            ("o1", "C", "2026-06-03"),
        ],
        O1={"dealer_code": "D1"},
        O2={"dealer_code": "D2"},
    )
    assert paid(bench) == {
        ("2026-06", "A", "first_deal"): (100_000, 0),
        ("2026-06", "C", "first_deal"): (100_000, 0),
    }


def test_a_cancelled_order_is_no_first_car_and_the_order_after_it_is(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-06-01"), ("u1", "B", "2026-06-02")], O1={"status": "已取消"})
    bench.given(
        "stg_dms__deliveries",
        [{"record_key": "V2", "order_no": "O2", "delivered_at": as_utc("2026-06-02")}],
    )
    assert paid(bench) == {("2026-06", "B", "first_deal"): (100_000, 0)}


def test_a_delivery_without_a_blue_invoice_earns_nothing(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-06-01")], O1={"blue_invoiced_at": None})
    assert paid(bench) == {}


def test_a_referred_car_pays_the_adviser_of_the_referrer(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")])
    refer(bench)
    assert paid(bench)["2026-06", "A", "referral"] == (30_000, 0)


def test_a_referred_car_pays_nobody_twice(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "A", "2026-06-01")])
    refer(bench)
    assert {key[2] for key in paid(bench)} == {"first_deal"}


@pytest.mark.parametrize(("handed_over", "is_paid"), [("2026-06-30", False), ("2026-07-01", True)])
def test_a_referred_car_pays_its_seller_twice_from_the_day_that_the_rates_say_so(
    bench: Bench, handed_over: str, is_paid: bool
) -> None:
    rate = {"rate_numerator": 3, "rate_denominator": 100}
    begun, changed = date(2000, 1, 1), date(2026, 7, 1)
    referral = rate | {"component": "referral"}
    bench.given(
        "commission_rates",
        [
            rate | {"component": "first_deal", "valid_from": begun},
            referral | {"pays_beside_first_deal": False, "valid_from": begun, "valid_to": changed},
            referral | {"pays_beside_first_deal": True, "valid_from": changed},
        ],
    )
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "A", handed_over)])
    refer(bench)
    found = {key[0]: fen for key, fen in paid(bench).items() if key[2] == "referral"}
    assert found == ({"2026-07": (30_000, 0)} if is_paid else {})


def test_a_referrer_without_a_car_has_no_adviser_to_pay(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")])
    refer(bench, member_is="u9")
    assert {key[2] for key in paid(bench)} == {"first_deal"}


@pytest.mark.parametrize(
    ("cancelled", "entries"),
    [
        ("2026-05-31", {}),
        ("2026-07-31", {"2026-06": (30_000, 0), "2026-07": (0, 30_000)}),
    ],
)
def test_a_referral_cancelled_after_the_delivery_is_taken_back_then(
    bench: Bench, cancelled: str, entries: dict[str, tuple[int, int]]
) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")])
    refer(bench, status="已取消", updated_at=as_utc(cancelled))
    found = {key[0]: fen for key, fen in paid(bench).items() if key[2] == "referral"}
    assert found == entries


def sale(key: str, kind: str, at: str, **values: object) -> dict[str, Any]:
    row = {"record_key": key, "sale_id": key, "product_type": kind, "staff_id": "A"}
    return row | {"amount_fen": 9_910, "paid_at": as_utc(at)} | values


def test_a_refund_takes_back_in_its_own_month_and_accessories_earn_nothing(bench: Bench) -> None:
    bench.given(
        "stg_dms__addon_sales",
        [
            sale("A1", "软件订阅", "2026-06-01", refunded_at=as_utc("2026-07-01")),
            sale("A2", "服务包", "2026-06-30"),
            sale("A3", "精品", "2026-06-30"),
            sale("A4", "服务包", "2026-06-30", paid_at=None),
        ],
    )
    # 5 % of 99.10 yuan is 495.5 fen, rounded in each entry
    assert paid(bench) == {
        ("2026-06", "A", "value_added"): (992, 0),
        ("2026-07", "A", "value_added"): (0, 496),
    }


def test_a_new_rate_changes_only_what_falls_after_it(bench: Bench) -> None:
    rate = {"component": "first_deal", "rate_denominator": 100}
    bench.given(
        "commission_rates",
        [
            rate
            | {"rate_numerator": 10, "valid_from": date(2000, 1, 1), "valid_to": date(2026, 7, 1)},
            rate | {"rate_numerator": 20, "valid_from": date(2026, 7, 1), "valid_to": None},
        ],
    )
    red: dict[str, object] = {"red_invoiced_at": as_utc("2026-08-01")}
    cars = [("u1", "A", "2026-06-30T23:59:59"), ("u2", "A", "2026-07-01T00:00:00")]
    sell(bench, cars, O1=red)
    assert paid(bench) == {
        ("2026-06", "A", "first_deal"): (100_000, 0),
        ("2026-07", "A", "first_deal"): (200_000, 0),
        ("2026-08", "A", "first_deal"): (0, 100_000),
    }


def test_a_reassigned_commission_moves_on_its_day_and_its_reversal_follows(bench: Bench) -> None:
    sell(
        bench,
        [("u1", "A", "2026-05-01")],
        O1={"red_invoiced_at": as_utc("2026-07-01"), "status": "已退车"},
    )
    moved = {"component": "first_deal", "event_key": "O1", "to_staff_id": "B"}
    bench.given("commission_reassignments", [moved | {"reassigned_on": date(2026, 6, 1)}])
    assert paid(bench) == {
        ("2026-05", "A", "first_deal"): (100_000, 0),
        ("2026-06", "A", "first_deal"): (0, 100_000),
        ("2026-06", "B", "first_deal"): (100_000, 0),
        ("2026-07", "B", "first_deal"): (0, 100_000),
    }
    moves = {row["staff_id"]: row["reassignment_count"] for row in month(bench, "2026-06-01")}
    assert moves == {"A": 1, "B": 0}


def month(
    bench: Bench, first: str, table: str = "metrics_commission_monthly"
) -> list[dict[str, Any]]:
    return [row for row in bench.build(table) if row["month"] == date.fromisoformat(first)]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, 1),
        ({"O2": {"large_ordered_at": as_utc("2026-05-01")}}, 1),
        ({"O2": {"large_ordered_at": as_utc("2026-04-30T23:59:59")}}, 0),
        ({"O2": {"large_ordered_at": as_utc("2026-08-01")}}, 1),
        ({"O2": {"large_ordered_at": as_utc("2026-08-01T00:00:01")}}, 0),
        # a large order is paid in time, whenever it is invoiced
        ({"O2": {"blue_invoiced_at": as_utc("2026-08-20")}}, 1),
        ({"O2": {"small_ordered_at": as_utc("2026-04-01")}}, 0),
        ({"O2": {"red_invoiced_at": as_utc("2026-08-20")}}, 0),
        ({"O2": {"cancelled_at": as_utc("2026-06-02")}}, 0),
    ],
)
def test_a_referral_order_is_valid_when_ordered_and_paid_in_time_and_kept(
    bench: Bench, values: dict[str, dict[str, object]], counts: int
) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")], **values)
    refer(bench)
    rows = bench.build("metrics_referral_member_monthly")
    assert sum(row["referral_valid_orders"] for row in rows) == counts


def test_an_order_that_is_not_large_is_paid_by_its_blue_invoice(bench: Bench) -> None:
    small: dict[str, object] = {"large_ordered_at": None, "small_ordered_at": as_utc("2026-06-01")}
    cars = [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")]
    sell(bench, cars, O2=small | {"blue_invoiced_at": as_utc("2026-08-01T00:00:01")})
    refer(bench)
    rows = bench.build("metrics_referral_member_monthly")
    assert [row["referral_valid_orders"] for row in rows if row["referral_valid_orders"]] == []


def reward(key: str, status: str, decided: str | None) -> dict[str, Any]:
    return {
        "record_key": key,
        "reward_id": key,
        "referral_id": "R1",
        "member_code": "M1",
        "amount_fen": 50_000,
        "status": status,
        "decided_at": decided and as_utc(decided),
        "updated_at": as_utc("2026-06-20"),
    }


def test_a_red_invoice_after_the_payment_claims_the_reward_back(bench: Bench) -> None:
    sell(
        bench,
        [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")],
        O2={"red_invoiced_at": as_utc("2026-08-01"), "status": "已退车"},
    )
    refer(bench)
    bench.given("stg_partner__rewards", [reward("W1", "1", "2026-07-01"), reward("W2", "0", None)])
    months = {
        f"{row['month']:%m}": tuple(
            row[f"reward_{kind}_fen"] for kind in ("due", "paid", "clawed_back", "withdrawn")
        )
        for row in bench.build("metrics_referral_member_monthly")
    }
    assert months["06"] == (100_000, 0, 0, 0)
    assert months["07"] == (0, 50_000, 0, 0)
    assert months["08"] == (0, 0, 50_000, 50_000)
    owed = bench.query(
        "select reward_id, sum(due_fen) - sum(paid_fen) as owed from profiles.fct_referral_rewards"
        " group by reward_id order by reward_id"
    )
    assert [row["owed"] for row in owed] == [-50_000, 0]


def test_a_reversal_of_a_reward_is_due_and_paid_like_one(bench: Bench) -> None:
    sell(bench, [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")])
    refer(bench)
    given = [reward("W1", "1", "2026-07-01"), reward("W2", "1", "2026-07-02")]
    given += [reward("W3", "0", None), reward("W4", "2", "2026-07-03")]
    for row in given[1:]:
        row["amount_fen"] = -50_000
    bench.given("stg_partner__rewards", given)
    bench.build("metrics_referral_member_monthly")
    sums = bench.query(
        "select sum(due_fen) as due, sum(paid_fen) as paid from profiles.fct_referral_rewards"
        " group by reward_id order by reward_id"
    )
    assert [(row["due"], row["paid"]) for row in sums] == [
        (50_000, 50_000),
        (-50_000, -50_000),
        (-50_000, 0),
        (0, 0),
    ]
    assert broken_checks(bench, ["fct_referral_rewards", "metrics_referral_member_monthly"]) == []


def test_a_reversal_of_a_reward_ends_with_the_order(bench: Bench) -> None:
    cars = [("u1", "A", "2026-04-01"), ("u2", "B", "2026-06-01")]
    sell(bench, cars, O2={"red_invoiced_at": as_utc("2026-08-01"), "status": "已退车"})
    refer(bench)
    back = {"amount_fen": -50_000}
    given = [reward("W1", "1", "2026-07-01"), reward("W2", "1", "2026-07-02") | back]
    given += [reward("W3", "0", None) | back, reward("W4", "2", "2026-07-03") | back]
    bench.given("stg_partner__rewards", given)
    rows = bench.build("metrics_referral_member_monthly")
    kinds = ("due", "paid", "clawed_back", "withdrawn")
    months = {
        f"{row['month']:%m}": tuple(row[f"reward_{kind}_fen"] for kind in kinds) for row in rows
    }
    assert months["06"] == (-100_000, 0, 0, 0)
    assert months["07"] == (0, 0, 0, -50_000)
    assert months["08"] == (0, 0, 0, -50_000)
    assert broken_checks(bench, ["fct_referral_rewards", "metrics_referral_member_monthly"]) == []


def test_a_reward_that_is_taken_back_twice_or_in_part_breaks_the_checks(bench: Bench) -> None:
    entries = {"W1": [("due", -100), ("clawback", 50)], "W2": [("due", 100), ("refused", -100)]}
    rows = [
        {"entry_id": f"{key}|{entry}", "reward_id": key, "entry": entry}
        | {"due_fen": fen, "paid_fen": 0}
        for key, found in entries.items()
        for entry, fen in found
    ]
    bench.given_instead("fct_referral_rewards", rows[2:])
    assert broken_checks(bench, ["fct_referral_rewards"]) == []
    bench.given_instead("fct_referral_rewards", rows)
    broken = broken_checks(bench, ["fct_referral_rewards"])
    assert [name.split()[1] for name in broken] == ["nothing_is_taken_back_twice", "holds"]


def test_both_readings_of_lead_capture_stand_side_by_side(bench: Bench) -> None:
    member = {
        "member_kind": "员工",
        "department": "质量部",
        "registered_at": as_utc("2026-07-31T23:59:59"),
    }
    codes = ["M1", "M2", "M3"]
    bench.given(
        "stg_partner__members",
        [{"record_key": code, "member_code": code} | member for code in codes],
    )
    lead = {"created_at": as_utc("2026-08-01"), "status": "有效", "is_test": False}
    given = {"L1": "M1", "L2": "M1", "L3": "M2"}
    bench.given(
        "stg_crm__leads",
        [{"record_key": k, "lead_id": k, "member_code": c} | lead for k, c in given.items()]
        + [{"record_key": "L4", "lead_id": "L4", "member_code": "M3"} | lead | {"status": "无效"}],
    )
    steps = [("a", "ReferralOpen"), ("b", "ReferralOpen"), ("b", "ReferralSubmit")]
    steps += [("c", "ReferralSubmit"), ("d", "ReferralOpen")]
    said = json.dumps({"member_code": "M1", "mobile": "13912345678"})
    bench.given(
        "stg_miniprogram__events",
        [
            {
                "record_key": f"{n}",
                "subject_key": who,
                "type": "track",
                "event": event,
                "occurred_at": as_utc("2026-08-10"),
                "properties": said,
            }
            for n, (who, event) in enumerate(steps)
        ],
    )
    # a person with two openids is one visitor
    bench.persons("miniprogram", "events", {"a": "u1", "b": "u1", "c": "u2", "d": "u3"})
    rows = {row["month"].month: row for row in bench.build("metrics_referral_member_monthly")}
    july, august = rows[7], rows[8]
    assert ratio(july, "lead_capture_rate_members") == (0, 3)
    assert ratio(july, "lead_capture_rate_visitors") == (0, 0)
    assert ratio(august, "lead_capture_rate_members") == (2, 3)
    assert ratio(august, "lead_capture_rate_visitors") == (2, 3)


def test_who_leads_the_board_shares_the_place_with_an_equal(bench: Bench) -> None:
    at = as_utc("2026-08-10")
    counts = {"M1": 2, "M2": 2, "M3": 1}
    bench.given_instead(
        "int_referral_orders",
        [
            {"order_no": f"{code}{n}", "member_code": code, "ordered_at": at, "is_valid": True}
            for code, count in counts.items()
            for n in range(count)
        ],
    )
    board = bench.build("metrics_referral_ranking_monthly")
    assert {row["member_code"]: row["board_rank"] for row in board} == {"M1": 1, "M2": 1, "M3": 2}
    group = only(month(bench, "2026-08-01", "metrics_referral_member_monthly"))
    assert ratio(group, "top1_share") == (2, 5)
    assert ratio(group, "gini") == (2, 15)
