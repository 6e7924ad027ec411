"""Single rules of facts and metrics, each on a few rows made for it."""

import csv
import json
from datetime import date
from typing import Any

import pytest
from metrics_bench import Bench, Project, as_utc, compile_project, only, ratio

from zhongtai.settings import load_settings


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("metrics"), threads=2))


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def lead(key: str = "L1", **values: object) -> dict[str, Any]:
    """A valid CRM lead of 1 May, noon."""
    row = {
        "record_key": key,
        "lead_id": key,
        "status": "有效",
        "created_at": as_utc("2026-05-01T12:00"),
    }
    return row | values


def order(key: str = "O1", **values: object) -> dict[str, Any]:
    return {"record_key": key, "order_no": key} | values


def event(name: str, key: str = "device", **properties: object) -> dict[str, Any]:
    at = properties.pop("at", as_utc("2026-08-20"))
    return {
        "record_key": f"{name}{at}{key}",
        "subject_key": key,
        "type": "track",
        "event": name,
        "distinct_id": key,
        "occurred_at": at,
        "properties": json.dumps(properties),
    }


def test_a_visit_at_the_end_of_the_window_is_outside_it(bench: Bench) -> None:
    visits = {"L1": "2026-05-08T11:59:59", "L2": "2026-05-08T12:00", "L3": "2026-05-01T12:00"}
    bench.given("stg_crm__leads", [lead(k, visited_at=as_utc(at)) for k, at in visits.items()])
    assert ratio(only(bench.build("metrics_lead_funnel_daily")), "visit_rate_7d") == (2, 3)


def test_a_lead_whose_window_ends_at_as_of_is_mature(bench: Bench) -> None:
    created = {"L1": "2026-08-25T00:00", "L2": "2026-08-25T00:00:01"}
    bench.given("stg_crm__leads", [lead(k, created_at=as_utc(at)) for k, at in created.items()])
    assert ratio(only(bench.build("metrics_lead_funnel_daily")), "visit_rate_7d") == (0, 1)


def test_a_lead_after_local_midnight_belongs_to_the_new_day(bench: Bench) -> None:
    bench.given("stg_crm__leads", [lead(created_at=as_utc("2026-05-02T00:00:00"))])
    assert only(bench.build("metrics_lead_funnel_daily"))["date"] == date(2026, 5, 2)


def test_an_adf_prospect_without_a_phone_is_a_lead_but_not_a_valid_one(bench: Bench) -> None:
    at = as_utc("2026-05-01")
    bench.given(
        "stg_crm__adf_leads",
        [
            {"record_key": "1|cars", "requested_at": at, "mobile": "+8613912345678"},
            {"record_key": "2|cars", "requested_at": at, "mobile": None},
        ],
    )
    row = only(bench.build("metrics_lead_funnel_daily"))
    assert (row["channel_1"], row["leads_created"], row["leads_valid"]) == ("第三方", 2, 1)
    assert {r["lead_id"] for r in bench.query("select * from intermediate.int_leads")} == {
        "adf|1|cars",
        "adf|2|cars",
    }


def test_an_order_cancelled_in_the_dms_counts_unless_another_stands(bench: Bench) -> None:
    ordered, again = as_utc("2026-05-05"), as_utc("2026-06-15")
    bench.given("stg_crm__leads", [lead(large_ordered_at=ordered)])
    bench.given(
        "stg_dms__orders",
        [
            order("O1", large_ordered_at=ordered, cancelled_at=as_utc("2026-05-20")),
            order("O2", large_ordered_at=again, status="大定"),
        ],
    )
    bench.persons("crm", "leads", {"L1": "u1"})
    bench.persons("dms", "orders", {"O1": "u1", "O2": "u1"})
    row = only(bench.build("metrics_lead_funnel_daily"))
    assert [ratio(row, f"order_rate_{days}d") for days in (30, 60, 90)] == [(0, 1), (1, 1), (1, 1)]


def test_a_car_ordered_before_the_lead_is_not_delivered_by_it(bench: Bench) -> None:
    bench.given("stg_crm__leads", [lead()])
    bench.given("stg_dms__orders", [order(large_ordered_at=as_utc("2026-04-30"))])
    delivered = {"record_key": "V1", "delivery_id": "V1", "order_no": "O1"}
    bench.given("stg_dms__deliveries", [delivered | {"delivered_at": as_utc("2026-05-09")}])
    bench.persons("crm", "leads", {"L1": "u1"})
    bench.persons("dms", "orders", {"O1": "u1"})
    assert ratio(only(bench.build("metrics_lead_funnel_daily")), "delivery_rate_90d") == (0, 1)


@pytest.mark.parametrize(
    ("linked_by", "is_shared", "expected"),
    [("mobile", False, 1), ("mobile", True, 0), ("unionid", False, 1), ("email", False, 0)],
)
def test_a_person_is_staff_by_what_only_they_have(
    bench: Bench, linked_by: str, is_shared: bool, expected: int
) -> None:
    bench.given("stg_workforce__staff", [{"record_key": "S", "mobile": "x", "unionid": "x"}])
    identifier = {"identifier_type": linked_by, "identifier_value": "x", "one_id": "u1"}
    bench.given("bridge_user_identifiers", [identifier | {"is_shared": is_shared}])
    bench.given("stg_crm__leads", [lead(mobile="+8613900000001")])
    bench.persons("crm", "leads", {"L1": "u1"})
    assert only(bench.build("metrics_lead_funnel_daily"))["leads_staff"] == expected


def test_a_contact_before_the_dispatch_is_an_answer_in_time(bench: Bench) -> None:
    sent = as_utc("2026-05-06T10:00")
    early = as_utc("2026-05-06T09:00")
    bench.given("stg_crm__leads", [lead(dispatched_at=sent, first_contacted_at=early)])
    row = only(bench.build("metrics_response_daily"))
    assert ratio(row, "first_response_timely_rate_30m") == (1, 1)


def test_a_follow_up_before_the_dispatch_is_no_answer(bench: Bench) -> None:
    bench.given("stg_crm__leads", [lead(dispatched_at=as_utc("2026-05-06T10:00"))])
    before = {"record_key": "F", "lead_id": "L1", "followed_up_at": as_utc("2026-05-06T09:00")}
    bench.given("stg_crm__follow_ups", [before])
    row = only(bench.build("metrics_response_daily"))
    assert ratio(row, "first_response_timely_rate_720m") == (0, 1)


def test_every_night_between_is_taken_off_and_the_spring_festival_too(bench: Bench) -> None:
    # dispatched an hour before closing on the last open day, answered an hour after nine days
    sent, answered = as_utc("2026-02-14T20:00"), as_utc("2026-02-24T10:00")
    bench.given("stg_crm__leads", [lead(dispatched_at=sent, first_contacted_at=answered)])
    row = only(bench.build("metrics_response_daily"))
    timely = [ratio(row, f"first_response_timely_rate_{m}m") for m in (60, 240)]
    assert timely == [(0, 1), (1, 1)]
    found = only(bench.query("select response_seconds from intermediate.int_lead_responses"))
    assert found["response_seconds"] == 2 * 3600


def test_a_lead_that_nobody_answered_counts_once_its_time_is_up(bench: Bench) -> None:
    sent = {"L1": "2026-08-31T20:30", "L2": "2026-08-31T20:30:01"}
    bench.given("stg_crm__leads", [lead(k, dispatched_at=as_utc(at)) for k, at in sent.items()])
    row = only(bench.build("metrics_response_daily"))
    assert row["leads_dispatched"] == 2
    assert ratio(row, "first_response_timely_rate_30m") == (0, 1)


def test_a_loop_in_the_wrong_order_is_not_closed(bench: Bench) -> None:
    times = {"accepted_at": "08:00", "first_contacted_at": "09:00", "resolved_at": "11:00"}
    at = {name: as_utc(f"2026-05-01T{clock}") for name, clock in times.items()}
    loops = {
        "C1": {"revisited_at": as_utc("2026-05-01T12:00"), "revisit_result": "满意"},
        "C2": {"revisited_at": as_utc("2026-05-01T10:00"), "revisit_result": "满意"},
        "C3": {"revisited_at": as_utc("2026-05-01T12:00"), "revisit_result": None},
    }
    bench.given(
        "stg_crm__complaints",
        [{"record_key": key, "complaint_id": key} | at | loop for key, loop in loops.items()],
    )
    row = only(bench.build("metrics_complaint_daily"))
    assert ratio(row, "closed_loop_rate") == (1, 3)
    assert ratio(row, "closed_loop_24h_rate") == (1, 3)


def test_the_same_part_failing_again_reopens_the_first_complaint(bench: Bench) -> None:
    closed = {"accepted_at": as_utc("2026-05-01"), "closed_at": as_utc("2026-05-02")}
    again = {"accepted_at": as_utc("2026-05-31T23:59"), "closed_at": as_utc("2026-06-03")}
    car = {"vin": "LZT00000000000001", "fault_part": "电池"}
    bench.given(
        "stg_crm__complaints",
        [
            {"record_key": "C1", "complaint_id": "C1"} | car | closed,
            {"record_key": "C2", "complaint_id": "C2"} | car | again,
        ],
    )
    rows = bench.build("metrics_complaint_daily")
    found = bench.query("select complaint_id from intermediate.int_complaints__recurring")
    assert found == [{"complaint_id": "C1"}]
    assert sum(row["reopen_rate_30d_num"] for row in rows) == 1


def test_the_dms_reports_each_event_on_its_own_date(bench: Bench) -> None:
    bench.given("stg_dms__dealers", [{"record_key": "D1", "dealer_code": "D1", "region": "华东"}])
    bench.given(
        "stg_dms__orders",
        [
            order(
                dealer_code="D1",
                series_code="ZT5",
                small_ordered_at=as_utc("2026-05-01T10:00"),
                large_ordered_at=as_utc("2026-05-02T10:00"),
                locked_at=as_utc("2026-05-03T10:00"),
                red_invoiced_at=as_utc("2026-05-09T10:00"),
                price_fen=20_000_000,
                status="已退车",
            )
        ],
    )
    delivered = {"record_key": "V1", "delivery_id": "V1", "order_no": "O1", "dealer_code": "D1"}
    bench.given("stg_dms__deliveries", [delivered | {"delivered_at": as_utc("2026-05-04T00:00")}])
    rows = {row["date"].day: row for row in bench.build("metrics_sales_daily")}
    assert {r["series_code"] + r["dealer_code"] + r["region"] for r in rows.values()} == {
        "ZT5D1华东"
    }
    seen = {
        day: {k for k, v in row.items() if v == 1 and "rate" not in k} for day, row in rows.items()
    }
    assert seen == {
        1: {"orders_small"},
        2: {"orders_large"},
        3: {"orders_locked"},
        4: {"deliveries"},
        9: {"deliveries_returned"},
    }
    assert (rows[4]["revenue_fen"], rows[9]["revenue_returned_fen"]) == (20_000_000, 20_000_000)


def test_events_of_all_channels_speak_one_language(bench: Bench) -> None:
    bench.given(
        "stg_app__events",
        [
            event("ViewSeries", series_code="ZT5"),
            event("Inbox", action="click"),
            event("Subscribe", sku="s", amount_fen=9900),
            event("$AppEnd", event_duration=12.6),
            event("SomethingNew"),
            event("$SignUp") | {"type": "track_signup"},
        ],
    )
    at = as_utc("2026-08-20")
    visitor = {"record_key": "v", "visitor_id": "v", "occurred_at": at}
    bench.given("stg_website__visits", [visitor])
    bench.given("stg_website__pages", [visitor])
    click = {"event_name": "click_finance", "event_variables": '{"series_code": "ZT7"}'}
    bench.given("stg_website__custom_events", [visitor | click])
    bench.persons("app", "events", {"device": "u1"})
    bench.persons("website", "visits", {"v": "u2"})
    rows = {row["event"]: row for row in bench.build("int_events")}
    assert set(rows) == {
        *("view_series", "inbox_click", "subscribe", "app_end", "other"),
        *("visit", "view_page", "click_finance"),
    }
    assert {row["one_id"] for row in rows.values()} == {"u1", "u2"}
    assert rows["view_series"]["series_code"] == "ZT5"
    assert rows["subscribe"]["amount_fen"] == 9900
    assert rows["app_end"]["duration_seconds"] == 13
    assert rows["click_finance"]["series_code"] == "ZT7"


def test_every_measure_of_a_shared_table_is_in_the_catalogue(project: Project) -> None:
    with (project.root / "seeds" / "metric_catalogue.csv").open(encoding="utf-8") as file:
        catalogue = {(row["table_name"], row["column_name"]) for row in csv.DictReader(file)}
    published = set()
    for name, node in project.nodes.items():
        if name.startswith("metrics_"):
            columns = node["columns"]
            parts = {f"{c[:-4]}{end}" for c in columns for end in ("_num", "_den") if c[-4:] == end}
            published |= {
                (name, column)
                for column, spec in columns.items()
                if spec["data_type"] in {"bigint", "double"} and column not in parts
            }
    assert len(published) >= 50
    assert catalogue == published


def test_spring_festival_days_have_no_working_time(bench: Bench) -> None:
    bench.build("dim_dates")
    closed = bench.query(
        "select min(date) as first, max(date) as last, count(*) as days from metrics.dim_dates"
        " where holiday_name = '春节' and year = 2026 and working_minutes = 0"
    )
    assert only(closed) == {"first": date(2026, 2, 15), "last": date(2026, 2, 23), "days": 9}
    weekend = only(bench.query("select * from metrics.dim_dates where date = '2026-08-30'"))
    assert (weekend["is_weekend"], weekend["working_minutes"]) == (True, 720)
