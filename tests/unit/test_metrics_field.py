"""Campaigns, quality issues, the task force, the fleet and sales count what their definitions say,
on two hundred small worlds drawn at random, and on rows made for one rule."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, timedelta
from math import floor, log
from typing import Any

import pytest
from field_cases import draw_worlds, fill_field, give_calendar
from metrics_bench import AS_OF, Bench, Project, as_utc, compile_project, only, ratio
from metrics_cases import Counts, assert_same, counted, draw_exports, fill

from reference.complaint import complaint
from reference.field import FieldExports, campaign, fleet, owners, quality, region
from reference.funnel import STAGES, collect_leads, funnel, lag_name, stage_lag
from reference.response import response
from reference.sales import sales
from zhongtai.settings import load_settings

# a midnight, the last second of a leap day, a second after new year, and some noon
INSTANTS = ("2026-09-01", "2028-02-29T23:59:59", "2026-01-01T00:00:01", "2026-06-17T12:00")
WORLDS = 50


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("field"), threads=2))


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


@pytest.fixture(scope="module", params=INSTANTS)
def worlds(project: Project, request: pytest.FixtureRequest) -> tuple[Bench, list[FieldExports]]:
    """A bench with fifty worlds side by side, seen from one instant."""
    as_of = as_utc(request.param)
    found = draw_worlds(WORLDS, as_of)
    bench = Bench(project, as_of)
    fill_field(bench, found)
    return bench, found


TABLES: list[tuple[str, list[str], Callable[[FieldExports], Counts]]] = [
    ("metrics_quality_issue_daily", ["date", "series_code", "fault_part", "source"], quality),
    ("metrics_campaign_daily", ["date", "campaign_code"], campaign),
    (
        "metrics_fleet_software_daily",
        ["date", "series_code", "software_version", "stock_status"],
        fleet,
    ),
    ("metrics_sales_daily", ["date", "series_code", "dealer_code", "region"], sales),
]


def merged(found: Sequence[Counts], told_once: Sequence[str] = ()) -> Counts:
    """The counts of worlds side by side: of keys that several have, the sum.

    What is `told_once` is the same in all of them.
    """
    total: Counts = {}
    for counts in found:
        for key, counter in counts.items():
            cell = total.setdefault(key, Counter(dict.fromkeys(counter, 0)))
            for name, value in counter.items():
                cell[name] = value if name in told_once else cell[name] + value
    return total


def without(rows: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: v for name, v in row.items() if name not in names} for row in rows]


@pytest.mark.parametrize(("table", "keys", "count"), TABLES, ids=[table[0] for table in TABLES])
def test_fifty_worlds_from_each_instant_count_what_the_definitions_say(
    worlds: tuple[Bench, list[FieldExports]],
    table: str,
    keys: list[str],
    count: Callable[[FieldExports], Counts],
) -> None:
    bench, exports = worlds
    rows = without(bench.build(table), "is_running")
    expected = merged([count(world) for world in exports])
    assert_same(counted(rows, keys), expected)


@pytest.mark.parametrize("count", [t[2] for t in TABLES] + [region, complaint])
def test_every_measure_counts_something_in_the_two_hundred_worlds(
    count: Callable[[FieldExports], Counts],
) -> None:
    drawn = [world for at in INSTANTS for world in draw_worlds(WORLDS, as_utc(at))]
    cells = [cell for world in drawn for cell in count(world).values()]
    total: Counter[str] = Counter()
    for cell in cells:
        total.update(cell)
    assert [name for name in cells[0] if not total[name]] == []


FUNNEL = "date channel_1 channel_2 channel_3 channel_4 series_code dealer_code region tier"
COMPLAINTS = "date level type source dealer_code region"


@pytest.mark.parametrize(
    ("table", "keys", "count", "told_once"),
    [
        ("metrics_lead_funnel_daily", FUNNEL, funnel, ()),
        ("metrics_complaint_daily", COMPLAINTS, complaint, ("owners_at_month_start",)),
    ],
    ids=["funnel", "complaints"],
)
def test_fifty_worlds_have_the_funnel_and_complaints_of_their_definitions(
    worlds: tuple[Bench, list[FieldExports]],
    table: str,
    keys: str,
    count: Callable[[FieldExports], Counts],
    told_once: Sequence[str],
) -> None:
    bench, exports = worlds
    expected = merged([count(world) for world in exports], told_once)
    assert_same(counted(bench.build(table), keys.split()), expected)
    assert len(expected) > 50


def test_fifty_worlds_have_the_responses_of_their_definition(
    worlds: tuple[Bench, list[FieldExports]],
) -> None:
    """In working minutes, around holidays, with a dealer who has hours of his own."""
    bench, exports = worlds
    calendar = give_calendar(bench, WORLDS)
    for model in ("int_working_calendar", "int_lead_responses", "metrics_response_daily"):
        bench.remake(model)
    expected = merged([response(world, calendar) for world in exports])
    found = counted(
        bench.build("metrics_response_daily"), ["date", "dealer_code", "region", "channel_1"]
    )
    assert_same(found, expected)
    total: Counter[str] = sum(found.values(), Counter())
    hits = [total[f"first_response_timely_rate_{minutes}m_num"] for minutes in (30, 240, 720)]
    assert 0 < hits[0] < hits[1] < hits[2] < total["leads_dispatched"]


def test_the_task_force_of_fifty_worlds_counts_what_the_definitions_say(
    worlds: tuple[Bench, list[FieldExports]],
) -> None:
    bench, exports = worlds
    rows = bench.build("metrics_region_weekly")
    for row in rows:
        n, responses = row["joint_nps_num"], row["joint_nps_den"]
        assert row["joint_nps"] == (n / responses if responses >= 10 else None)
    assert {row["joint_nps"] is None for row in rows} == {True, False}
    expected = merged([region(world) for world in exports])
    measures = next(iter(expected.values())).keys()
    scores = ("joint_nps", "joint_nps_num", "joint_nps_den")
    keys = ["week", "region"]
    parts = counted(without(rows, *scores), keys)
    assert {n for c in parts.values() for n in c} == measures - set(scores)
    found = {(r["week"], r["region"]): Counter({n: r[n] for n in measures}) for r in rows}
    assert_same(found, expected)
    named = {(r["week"], r["region"]): (r["oem_owners"], r["dealer_owners"]) for r in rows}
    wanted = merged_owners(exports)
    assert {key: sides for key, sides in named.items() if any(sides)} == wanted
    assert len(wanted) > 20


def merged_owners(exports: Sequence[FieldExports]) -> dict[Hashable, tuple[str | None, ...]]:
    """The owners of all worlds: actions without a region are in one row."""
    found: dict[Hashable, tuple[set[str], set[str]]] = {}
    for world in exports:
        for key, sides in owners(world).items():
            for side, names in zip(found.setdefault(key, (set(), set())), sides, strict=True):
                side.update(names.split(",") if names else ())
    texts = {key: tuple(",".join(sorted(s)) or None for s in both) for key, both in found.items()}
    return {key: both for key, both in texts.items() if any(both)}


def test_sketches_of_all_rows_add_up_to_the_lags_of_all_leads(project: Project) -> None:
    exports, bench = draw_exports(5), Bench(project)
    fill(bench, exports)
    rows = bench.build("metrics_lead_funnel_daily")
    leads = collect_leads(exports)
    for stage in STAGES:
        lags = [lag for lead in leads if (lag := stage_lag(lead, stage)) is not None]
        sketch: Counter[int] = Counter()
        for row in rows:
            for bucket, number in json.loads(row[f"{lag_name(stage)}_sketch"] or "{}").items():
                sketch[int(bucket)] += number
        assert len(lags) > 3
        assert sketch == Counter(floor(log(1 + lag) / log(1.05)) for lag in lags)


# --- single rules ----------------------------------------------------------------------------

MAY = as_utc("2026-05-01T12:00")


def after(hours: float) -> datetime:
    """So many hours after noon of 1 May."""
    return MAY + timedelta(hours=hours)


def lead(key: str = "L1", **values: object) -> dict[str, Any]:
    row = {"record_key": key, "lead_id": key, "status": "有效", "created_at": MAY}
    return row | values


def test_percentiles_lie_between_the_two_nearest_lags(bench: Bench) -> None:
    minutes = {"L1": 1, "L2": 2, "L3": 3, "L4": 4, "L5": 10, "L6": -5}
    bench.given(
        "stg_crm__leads", [lead(k, dispatched_at=after(m / 60)) for k, m in minutes.items()]
    )
    row = only(bench.build("metrics_lead_funnel_daily"))
    found = [row[f"stage_lag_dispatch_{part}"] for part in ("count", "p50", "p90")]
    assert found == [5, 3.0, pytest.approx(7.6)]
    assert row["stage_lag_delivery_p50"] is None
    assert row["stage_lag_delivery_sketch"] is None


def test_a_small_order_of_a_launch_is_locked_before_the_days_after_its_last_day(
    bench: Bench,
) -> None:
    rule = {"series_code": "ZT5", "ordered_from": date(2026, 5, 1), "lock_days": 7}
    rule |= {"ordered_until": date(2026, 5, 11), "launch_ends_on": date(2026, 5, 10)}
    bench.given("small_order_cut_offs", [rule])
    locks = {"O1": as_utc("2026-05-17T23:59:59"), "O2": as_utc("2026-05-18T00:00"), "O3": None}
    order = {"dealer_code": "D1", "series_code": "ZT5", "small_ordered_at": after(1)}
    rows = [order | {"record_key": k, "order_no": k, "locked_at": at} for k, at in locks.items()]
    bench.given("stg_dms__orders", rows)
    bench.given("stg_crm__leads", [lead(k, series_code="ZT7") for k in ("L1", "L2", "L3", "L4")])
    bench.persons("crm", "leads", {"L1": "u1", "L2": "u2", "L3": "u3", "L4": "u4"})
    bench.persons("dms", "orders", {"O1": "u1", "O2": "u2", "O3": "u3"})
    row = next(r for r in bench.build("metrics_sales_daily") if r["orders_small"])
    assert ratio(row, "small_order_lock_rate") == (1, 3)
    assert ratio(only(bench.build("metrics_lead_funnel_daily")), "small_order_lock_rate") == (1, 3)


def test_a_small_order_counts_once_its_days_are_over(bench: Bench) -> None:
    days = {"O1": AS_OF - timedelta(days=30), "O2": AS_OF - timedelta(days=30, seconds=-1)}
    rows = [{"record_key": k, "order_no": k, "small_ordered_at": at} for k, at in days.items()]
    bench.given("stg_dms__orders", rows)
    row = only(bench.build("metrics_sales_daily"))
    assert (row["orders_small"], ratio(row, "small_order_lock_rate")) == (2, (0, 1))


def test_complaints_are_measured_by_the_persons_who_own_cars_when_the_month_begins(
    bench: Bench,
) -> None:
    midnight = as_utc("2026-05-01")
    held: list[tuple[str, datetime, datetime | None]] = [
        ("merged", midnight - timedelta(days=9), None),
        ("merged", midnight - timedelta(days=5), None),
        ("just", midnight, None),
        ("late", midnight + timedelta(seconds=1), None),
        ("gone", midnight - timedelta(days=9), midnight),
    ]
    names = ("one_id", "valid_from", "valid_to")
    bench.given_instead(
        "int_users__ownerships",
        [dict(zip(names, row, strict=True)) | {"vin": f"V{n}"} for n, row in enumerate(held)],
    )
    accepted = {"C1": after(0), "C2": after(1), "C3": as_utc("2026-06-01T00:00")}
    bench.given(
        "stg_crm__complaints",
        [{"record_key": k, "complaint_id": k, "accepted_at": at} for k, at in accepted.items()],
    )
    rows = {row["date"].month: row for row in bench.build("metrics_complaint_daily")}
    assert {m: (r["accepted"], r["owners_at_month_start"]) for m, r in rows.items()} == {
        5: (2, 2),
        6: (1, 3),
    }
    assert rows[5]["complaints_per_1000_owners"] == 1000.0


def test_complaints_without_any_owner_have_no_rate(bench: Bench) -> None:
    row = {"record_key": "C", "complaint_id": "C", "accepted_at": after(0)}
    bench.given("stg_crm__complaints", [row])
    assert only(bench.build("metrics_complaint_daily"))["complaints_per_1000_owners"] is None


def test_an_issue_raised_on_a_leap_day_is_fixed_within_a_day_until_the_next_noon(
    project: Project,
) -> None:
    bench, noon = Bench(project, as_utc("2028-04-01")), as_utc("2028-02-29T12:00")
    day = timedelta(days=1)
    fixed = {"Q1": noon + day - timedelta(seconds=1), "Q2": noon + day, "Q3": None}
    rows = [{"record_key": k, "issue_id": k, "fixed_at": at} for k, at in fixed.items()]
    bench.given("stg_workforce__quality_issues", [row | {"raised_at": noon} for row in rows])
    row = only(bench.build("metrics_quality_issue_daily"))
    assert row["date"] == date(2028, 2, 29)
    rates = [ratio(row, f"fixed_rate_{days}d") for days in (1, 2, 30)]
    assert rates == [(1, 3), (2, 3), (2, 3)]
    assert row["fix_minutes_p50"] == pytest.approx((2 * 24 * 60 - 1 / 60) / 2)


def test_a_fix_after_which_the_part_fails_again_is_a_recurrence(bench: Bench) -> None:
    part = {"vin": "V", "fault_part": "电池"}
    again = after(24 + 30 * 24)
    issues = {
        "Q1": (MAY, after(24)),
        "Q2": (again - timedelta(seconds=1), None),
        "Q3": (again, None),
    }
    bench.given(
        "stg_workforce__quality_issues",
        [
            {"record_key": k, "issue_id": k, "raised_at": raised, "fixed_at": fixed} | part
            for k, (raised, fixed) in issues.items()
        ],
    )
    bench.build("metrics_quality_issue_daily")
    recurring = bench.query("select issue_id from intermediate.int_quality_issues__recurring")
    assert recurring == [{"issue_id": "Q1"}]


def test_a_merged_person_joins_a_campaign_once(bench: Bench) -> None:
    joins = {"phone": MAY, "tablet": after(1), "stranger": after(2)}
    bench.given(
        "stg_app__events",
        [
            {"record_key": k, "subject_key": k, "distinct_id": k, "occurred_at": at}
            | {"type": "track", "event": "JoinActivity"}
            | {"properties": json.dumps({"campaign_code": "C"})}
            for k, at in joins.items()
        ],
    )
    bench.persons("app", "events", {"phone": "u1", "tablet": "u1"})
    bench.given("stg_crm__leads", [lead(created_at=after(30 * 24))])
    bench.persons("crm", "leads", {"L1": "u1"})
    row = only(bench.build("metrics_campaign_daily"))
    assert [row[n] for n in ("joins", "participants", "participants_new")] == [3, 1, 1]
    assert ratio(row, "join_lead_rate_30d") == (0, 1)


def test_a_red_invoice_of_a_campaigns_car_leaves_its_order_counted(bench: Bench) -> None:
    bench.given("stg_crm__leads", [lead(campaign_code="C", large_ordered_at=after(5))])
    order = {"record_key": "O", "order_no": "O", "large_ordered_at": after(5)}
    bench.given("stg_dms__orders", [order | {"status": "已退车", "red_invoiced_at": after(99)}])
    bench.persons("crm", "leads", {"L1": "u1"})
    bench.persons("dms", "orders", {"O": "u1"})
    row = only(bench.build("metrics_campaign_daily"))
    assert ratio(row, "order_rate_30d") == (1, 1)


def test_an_action_closed_at_its_due_time_is_in_time(bench: Bench) -> None:
    item = {"region": "华东", "meeting_at": as_utc("2026-08-31T00:00"), "staff_id": "S1"}
    ends = {
        "A1": (AS_OF, AS_OF),
        "A2": (AS_OF, AS_OF + timedelta(seconds=1)),
        "A3": (AS_OF, None),
        "A4": (AS_OF + timedelta(seconds=1), AS_OF),
        "A5": (None, AS_OF),
    }
    bench.given(
        "stg_workforce__action_items",
        [
            {"record_key": k, "item_id": k, "due_at": due, "closed_at": closed} | item
            for k, (due, closed) in ends.items()
        ],
    )
    row = only(bench.build("metrics_region_weekly"))
    assert (row["week"], row["actions"]) == (date(2026, 8, 31), 5)
    assert ratio(row, "meeting_action_close_rate") == (1, 3)
    assert (row["oem_owners"], row["dealer_owners"]) == ("S1", None)


def test_nine_answers_say_nothing_of_a_region(bench: Bench) -> None:
    bench.given("stg_dms__dealers", [{"record_key": d, "dealer_code": d} for d in "AB"])
    at = {"submitted_at": after(0)}
    surveys = [{"record_key": f"{n}", "survey_id": f"{n}", "recommend_score": 9} for n in range(9)]
    bench.given("stg_crm__surveys", [row | at for row in surveys])
    row = only(bench.build("metrics_region_weekly"))
    assert (row["joint_nps_num"], row["joint_nps_den"], row["joint_nps"]) == (9, 9, None)


def test_versions_are_compared_number_by_number(bench: Bench) -> None:
    versions = {
        "V1": ("2.9", "在库"),
        "V2": ("2.10", "在途"),
        "V3": (None, "在库"),
        "V4": ("1", "已售"),
    }
    bench.given(
        "stg_dms__vehicles",
        [
            {"record_key": k, "vin": k, "series_code": "ZT5", "software_version": version}
            | {"stock_status": status}
            for k, (version, status) in versions.items()
        ],
    )
    rows = {r["software_version"]: r for r in bench.build("metrics_fleet_software_daily")}
    assert {r["target_version"] for r in rows.values()} == {"2.10"}
    due = {version: ratio(row, "update_due_rate") for version, row in rows.items()}
    assert due == {"2.9": (1, 1), "2.10": (0, 1), "": (1, 1), "1": (0, 0)}
