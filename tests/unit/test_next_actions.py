"""Next actions: whom the front line should turn to, for what, and until when."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from metrics_bench import Bench, as_utc, only
from users_cases import Row, compiled

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
NOW = as_utc("2026-09-01T12:00")
Given = Callable[[Bench], None]


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled(), as_of=NOW)


def actions(bench: Bench) -> dict[str, Row]:
    rows = bench.build("int_users__next_actions")
    assert all(row["one_id"] == "u1" for row in rows)
    return {row["action"]: row for row in rows}


def complains(accepted: datetime, key: str = "C1", **values: object) -> Given:
    row = {"record_key": key, "complaint_id": key, "staff_id": "S1", "accepted_at": accepted}

    def give(bench: Bench) -> None:
        bench.given("stg_crm__complaints", [row | values])
        bench.persons("crm", "complaints", {key: "u1"})

    return give


def takes_car(at: datetime, *contacts: datetime, **values: object) -> Given:
    sale = {"record_key": "O1", "order_no": "O1", "status": "已交车", "vin": "V1"} | values
    handed = {"record_key": "J1", "delivery_id": "J1", "order_no": "O1", "vin": "V1"}

    def give(bench: Bench) -> None:
        bench.given("stg_dms__orders", [sale])
        bench.given("stg_dms__deliveries", [handed | {"delivered_at": at, "staff_id": "S2"}])
        bench.persons("dms", "orders", {"O1": "u1"})
        bench.given("stg_crm__owner_contacts", [
            {"record_key": f"K{n}", "contact_id": f"K{n}", "vin": "V1", "contacted_at": when}
            for n, when in enumerate(contacts)
        ])  # fmt: skip

    return give


def leads(*rows: Row, follow_ups: tuple[datetime, ...] = ()) -> Given:
    def give(bench: Bench) -> None:
        base = {"status": "有效", "staff_id": "S3"}
        keyed = [base | {"record_key": f"L{n}", "lead_id": f"L{n}"} | r for n, r in enumerate(rows)]
        bench.given("stg_crm__leads", keyed)
        bench.persons("crm", "leads", {row["record_key"]: "u1" for row in keyed})
        last = keyed[-1]
        bench.given("stg_crm__follow_ups", [
            {"record_key": f"F{n}", "follow_up_id": f"F{n}", "lead_id": last["lead_id"],
             "followed_up_at": at, "tier_before": last["tier"], "tier_after": last["tier"]}
            for n, at in enumerate(follow_ups)
        ])  # fmt: skip

    return give


def rated(tier: str, created: datetime, **values: object) -> Row:
    return {"tier": tier, "created_at": created} | values


CONTACTED = {"first_contacted_at": NOW - 3 * DAY}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(complains(NOW - HOUR), {"contact_complaint"}, id="not-contacted"),
        pytest.param(complains(NOW - 90 * DAY), {"contact_complaint"}, id="for-months"),
        pytest.param(complains(NOW - 4 * DAY, **CONTACTED), set(), id="contacted"),
        pytest.param(
            complains(NOW - 4 * DAY, resolved_at=NOW - DAY, **CONTACTED),
            {"revisit_complaint"},
            id="solved-and-not-revisited",
        ),
        pytest.param(
            complains(NOW - 4 * DAY, resolved_at=NOW - DAY, revisited_at=NOW - HOUR, **CONTACTED),
            set(),
            id="revisited",
        ),
        pytest.param(
            complains(NOW - 99 * DAY, resolved_at=NOW - 90 * DAY), set(), id="solved-long-ago"
        ),
        pytest.param(takes_car(NOW - 5 * DAY + SECOND), set(), id="not-yet-5-days"),
        pytest.param(takes_car(NOW - 5 * DAY), {"seventh_day_call"}, id="5-days"),
        pytest.param(
            takes_car(NOW - 7 * DAY, NOW - 6 * DAY), {"seventh_day_call"}, id="called-too-early"
        ),
        pytest.param(takes_car(NOW - 7 * DAY, NOW - DAY), set(), id="called"),
        pytest.param(takes_car(NOW - 10 * DAY), set(), id="too-late"),
        pytest.param(
            takes_car(NOW - 7 * DAY, status="已退车", updated_at=NOW - DAY), set(), id="given-back"
        ),
        pytest.param(takes_car(as_utc("2025-10-02T12:00")), set(), id="due-in-31-days"),
        pytest.param(takes_car(as_utc("2025-10-01T12:00")), {"remind_maintenance"}, id="in-30"),
        pytest.param(leads(rated("A", NOW - DAY)), set(), id="fresh-lead"),
        pytest.param(leads(rated("A", NOW - 4 * DAY)), {"follow_up_lead"}, id="not-followed-up"),
        pytest.param(
            leads(rated("A", NOW - 5 * DAY), follow_ups=(NOW - DAY,)), set(), id="followed-up"
        ),
        pytest.param(
            leads(rated("A", NOW - 15 * DAY), follow_ups=(NOW - DAY,)),
            {"settle_rating"},
            id="the-promise-is-over",
        ),
        pytest.param(
            leads(rated("A", NOW - 20 * DAY, status="战败", lost_at=NOW - DAY)), set(), id="lost"
        ),
        pytest.param(
            leads(rated("A", NOW - 20 * DAY, small_ordered_at=NOW - 9 * DAY)),
            {"follow_up_lead"},
            id="ordered-in-time",
        ),
        pytest.param(
            leads(rated("A", NOW - 20 * DAY), rated("A", NOW - DAY)), set(), id="came-again"
        ),
    ],
)
def test_an_action_is_there_while_what_calls_for_it_is_unanswered(
    bench: Bench, given: Given, expected: set[str]
) -> None:
    given(bench)
    assert set(actions(bench)) == expected


def test_an_action_says_who_why_and_until_when(bench: Bench) -> None:
    complains(NOW - HOUR)(bench)
    takes_car(NOW - 6 * DAY)(bench)
    found = actions(bench)
    assert found["contact_complaint"]["due_at"] == NOW + 23 * HOUR
    assert found["contact_complaint"]["staff_id"] == "S1"
    assert found["contact_complaint"]["because"].endswith(": C1")
    assert found["seventh_day_call"]["due_at"] == NOW + DAY
    assert found["seventh_day_call"]["staff_id"] == "S2"


def test_of_two_complaints_the_first_one_due_is_named(bench: Bench) -> None:
    rows = [
        {"record_key": key, "complaint_id": key, "accepted_at": at}
        for key, at in (("C1", NOW - HOUR), ("C2", NOW - 2 * HOUR))
    ]
    bench.given("stg_crm__complaints", rows)
    bench.persons("crm", "complaints", {"C1": "u1", "C2": "u1"})
    assert only(list(actions(bench).values()))["because"].endswith(": C2")


def test_what_calls_for_nobody_known_is_no_action(bench: Bench) -> None:
    complains(NOW - HOUR)(bench)
    bench.connection.execute("delete from profiles.bridge_user_records")
    assert actions(bench) == {}
