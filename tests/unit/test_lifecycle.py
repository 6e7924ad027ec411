"""Stage, pool and rating of persons, now and at any earlier moment, against a plain reference."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from metrics_bench import AS_OF, Bench, Project, as_utc, compile_project, only
from standing_cases import Persons
from standing_cases import event as person_event
from standing_cases import give as give_persons

from zhongtai.settings import load_settings

OLD, RECENT = as_utc("2026-01-10"), as_utc("2026-08-20")
SECOND = timedelta(seconds=1)
Row = dict[str, Any]
Given = Callable[[Bench], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("lifecycle"), threads=2))


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def lead(key: str = "L1", **values: object) -> Row:
    """A valid CRM lead of 1 May, noon."""
    row = {"record_key": key, "lead_id": key, "status": "有效"}
    return row | {"created_at": as_utc("2026-05-01T12:00")} | values


def order(key: str = "O1", **values: object) -> Row:
    return {"record_key": key, "order_no": key, "vin": f"VIN{key}"} | values


def event(name: str, at: datetime = RECENT, person: str = "u1", **properties: object) -> Row:
    return person_event(name, at, person, **properties)


def follow_up(number: int, at: datetime, before: str | None, after: str | None) -> Row:
    key = f"F{number:04d}"
    return {
        "record_key": key, "follow_up_id": key, "lead_id": "L1", "followed_up_at": at,
        "tier_before": before, "tier_after": after,
    }  # fmt: skip


def orders(*rows: Row, cars: int = 0) -> Given:
    def give(bench: Bench) -> None:
        bench.given("stg_dms__orders", list(rows))
        bench.persons("dms", "orders", {row["record_key"]: "u1" for row in rows})
        delivered = [
            {"record_key": row["record_key"], "delivery_id": row["record_key"]}
            | {"order_no": row["order_no"], "delivered_at": OLD, "vin": row["vin"]}
            for row in rows[:cars]
        ]
        bench.given("stg_dms__deliveries", delivered)

    return give


def leads(*rows: Row) -> Given:
    return lambda bench: bench.given("stg_crm__leads", rows)


def behaves(*rows: Row) -> Given:
    return lambda bench: bench.given("stg_app__events", rows)


KEPT = {"large_ordered_at": OLD, "status": "已交车"}
RETURNED = KEPT | {"status": "已退车", "updated_at": as_utc("2026-02-10")}
TWO_SERIES = [
    event("ViewSeries", RECENT, series_code="A"),
    event("ViewSeries", AS_OF - SECOND, series_code="B"),
]
LOST = {"status": "战败", "created_at": OLD, "lost_at": as_utc("2026-08-01")}
DAYS_90 = AS_OF - timedelta(days=90)
DAYS_180 = AS_OF - timedelta(days=180)


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        pytest.param([], "认知", id="a-record-and-nothing-else"),
        pytest.param([behaves(event("$AppStart"))], "认知", id="opened-the-app"),
        pytest.param([behaves(event("ViewSeries", series_code="A"))], "认知", id="one-series"),
        pytest.param([behaves(*TWO_SERIES)], "对比", id="two-series"),
        pytest.param(
            [behaves(TWO_SERIES[0], event("ViewSeries", AS_OF, series_code="B"))],
            "认知",
            id="the-second-at-as-of-has-not-happened",
        ),
        pytest.param([behaves(event("ClickFinance", series_code="A"))], "决策", id="finance"),
        pytest.param([behaves(event("ClickFinance", DAYS_90))], "决策", id="ninety-days-ago"),
        pytest.param(
            [behaves(event("ClickFinance", DAYS_90 - SECOND))], "认知", id="over-ninety-days-ago"
        ),
        pytest.param([behaves(event("$AppStart", DAYS_180))], "认知", id="silent-for-180-days"),
        pytest.param([behaves(event("$AppStart", DAYS_180 - SECOND))], "流失", id="silent-longer"),
        pytest.param([leads(lead(created_at=RECENT))], "对比", id="open-lead"),
        pytest.param([leads(lead(created_at=RECENT, tier="H"))], "决策", id="hot-lead"),
        pytest.param([leads(lead(**LOST))], "流失", id="lost-lead"),
        pytest.param(
            [leads(lead(**LOST)), behaves(event("ClickFinance"))], "决策", id="back-after-lost"
        ),
        pytest.param([orders(order(large_ordered_at=OLD, status="大定"))], "下单", id="ordered"),
        pytest.param(
            [orders(order(large_ordered_at=OLD, status="已取消"))], "流失", id="cancelled"
        ),
        pytest.param([orders(order(**KEPT), cars=1)], "车主", id="owner"),
        pytest.param([orders(order(**RETURNED), cars=1)], "流失", id="returned-the-car"),
        pytest.param([orders(order(**KEPT), order("O2", **KEPT), cars=2)], "复购", id="two-cars"),
        pytest.param(
            [orders(order(**RETURNED), order("O2", **KEPT), cars=2)], "车主", id="exchanged-a-car"
        ),
        pytest.param(
            [orders(order(**KEPT), order("O2", large_ordered_at=RECENT), cars=1)],
            "复购",
            id="ordered-another",
        ),
    ],
)
def test_the_first_rule_that_fits_decides_the_stage(
    bench: Bench, given: list[Given], stage: str
) -> None:
    for give in given:
        give(bench)
    bench.persons("app", "events", {"u1": "u1"})
    bench.persons("crm", "leads", {"L1": "u1"})
    assert only(bench.build("int_users__lifecycle"))["lifecycle_stage"] == stage


def test_who_takes_over_a_used_car_is_an_owner_and_who_passed_it_on_has_left(bench: Bench) -> None:
    orders(order(**KEPT), cars=1)(bench)
    handover = as_utc("2026-03-01")
    bound = {"record_key": "b", "type": "track", "event": "BindVehicle", "distinct_id": "u2"}
    vin = "LSVAA4182E2123456"
    bench.given("stg_dms__orders", [order(**KEPT | {"vin": vin})])
    delivered = {"record_key": "V", "delivery_id": "V", "order_no": "O1", "vin": vin}
    bench.given("stg_dms__deliveries", [delivered | {"delivered_at": OLD}])
    bench.given(
        "stg_app__events",
        [bound | {"occurred_at": handover, "properties": json.dumps({"vin": vin})}],
    )
    bench.persons("app", "events", {"u2": "u2"})
    stages = {r["one_id"]: r["lifecycle_stage"] for r in bench.build("int_users__lifecycle")}
    assert stages == {"u1": "流失", "u2": "车主"}


@pytest.mark.parametrize(
    ("rows", "pool", "tier"),
    [
        pytest.param([], "流量池", None, id="no-lead"),
        pytest.param([lead()], "线索池", None, id="unrated"),
        pytest.param([lead(tier="N")], "线索池", "N", id="new-and-not-contacted"),
        pytest.param([lead(tier="N", first_contacted_at=RECENT)], "孵化池", "N", id="new"),
        pytest.param([lead(tier="C")], "孵化池", "C", id="low"),
        pytest.param([lead(tier="A")], "潜客池", "A", id="high"),
        pytest.param([lead(tier="A", status="战败")], "流量池", "A", id="lost"),
        pytest.param([lead(tier="A", status="无效")], "流量池", None, id="invalid"),
        pytest.param([lead(tier="A", is_test=True)], "流量池", None, id="test"),
        pytest.param([lead(tier="Z")], "线索池", "Z", id="unknown-rating"),
        pytest.param([lead(tier="A", created_at=AS_OF)], "流量池", None, id="not-yet-come"),
        pytest.param(
            [lead(tier="T", updated_at=AS_OF + SECOND)], "孵化池", "T", id="by-a-clock-that-is-fast"
        ),
        pytest.param(
            [lead(tier="A"), lead("L2", tier="B", created_at=RECENT)], "孵化池", "B", id="latest"
        ),
        pytest.param(
            [lead("L2", tier="A"), lead("L1", tier="B")], "潜客池", "A", id="of-two-at-once"
        ),
    ],
)
def test_a_person_is_in_the_pool_of_the_latest_valid_lead(
    bench: Bench, rows: list[Row], pool: str, tier: str | None
) -> None:
    bench.given("stg_crm__leads", rows)
    bench.persons("crm", "leads", {"L1": "u1", "L2": "u1"})
    row = only(bench.build("int_users__lifecycle"))
    assert (row["nurture_pool"], row["lead_tier"]) == (pool, tier)


def test_every_move_between_pools_has_its_day(bench: Bench) -> None:
    days = {day: as_utc(f"2026-05-{day:02d}T12:00") for day in (1, 2, 5, 9, 20, 25)}
    bench.given("int_identity_records", [
        {"source": "crm", "entity": "leads", "record_key": "L1", "first_seen_at": days[1]},
        {"source": "app", "entity": "events", "record_key": "u1",
         "first_seen_at": as_utc("2026-04-01")},
    ])  # fmt: skip
    bench.given("stg_dms__dealers", [{"record_key": "D1", "dealer_code": "D1", "region": "华东"}])
    bench.given(
        "stg_crm__leads",
        [lead(tier="O", dealer_code="D1", first_contacted_at=days[2], small_ordered_at=days[20])],
    )
    bench.given(
        "stg_crm__follow_ups",
        [
            follow_up(1, days[2], "N", "B"),
            follow_up(2, days[5], "B", "B"),
            follow_up(3, days[9], "B", "H"),
            follow_up(4, days[25], "H", "H"),
        ],
    )
    bench.persons("crm", "leads", {"L1": "u1"})
    bench.persons("app", "events", {"u1": "u1"})
    rows = bench.build("int_users__pool_history")
    rows.sort(key=lambda row: row["valid_from"])
    assert [(r["valid_from"], r["nurture_pool"], r["lead_tier"], r["region"]) for r in rows] == [
        (as_utc("2026-04-01"), "流量池", None, None),
        (days[1], "线索池", "N", "华东"),
        (days[2], "孵化池", "B", "华东"),
        (days[9], "潜客池", "H", "华东"),
        (days[20], "潜客池", "O", "华东"),
    ]
    assert [r["valid_to"] for r in rows] == [r["valid_from"] for r in rows[1:]] + [None]


@pytest.mark.parametrize("seed", range(6))
def test_the_histories_say_of_every_moment_what_the_definitions_say(
    bench: Bench, seed: int
) -> None:
    draws = Persons(seed)
    persons = {f"u{number:03d}": draws.person(f"u{number:03d}") for number in range(40)}
    give_persons(bench, persons)
    bench.build("int_users__lifecycle")
    histories = ("stage", "pool")
    periods: dict[tuple[str, str], list[Row]] = {}
    for history in histories:
        rows = bench.query(f"select * from intermediate.int_users__{history}_history")
        for row in sorted(rows, key=lambda r: r["valid_from"]):
            periods.setdefault((row["one_id"], history), []).append(row)
    moments = {draws.moment() for _ in range(60)} | {AS_OF}
    wrong = []
    for name, person in persons.items():
        for moment in sorted(moments):
            stage = at(periods[name, "stage"], moment)
            pool = at(periods[name, "pool"], moment)
            found = (
                stage["lifecycle_stage"] if stage else "认知",
                pool["nurture_pool"] if pool else "流量池",
                pool["lead_tier"] if pool else None,
            )
            expected = (person.stage(moment), person.pool(moment), person.tier(moment))
            if found != expected:
                wrong.append((name, moment, found, expected))
    assert wrong == []
    seen = {
        row["lifecycle_stage"] for key, rows in periods.items() if key[1] == "stage" for row in rows
    }
    assert seen == {"认知", "对比", "决策", "下单", "车主", "复购", "流失"}


def at(rows: list[Row], moment: datetime) -> Row | None:
    """The row that holds at a moment; none before the person was seen."""
    found = [
        row
        for row in rows
        if row["valid_from"] < moment and (row["valid_to"] is None or moment <= row["valid_to"])
    ]
    return only(found) if found else None
