"""No check holds or ends a run for what the exports are allowed to be like."""

import json
from datetime import datetime

import pytest
from dirt_cases import CLOCKS, dirt_project, fill_dirt
from gate_checks import broken_checks, broken_equalities
from metrics_bench import AS_OF, Bench, Project, as_utc, only
from users_cases import compiled, event, give_events

ALMOST_MILLENNIUM = as_utc("1999-06-01")
MOBILE = "+8613900000001"


@pytest.fixture(scope="module")
def project() -> Project:
    return dirt_project()


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def checked(project: Project) -> list[str]:
    """The models that a bench can build from staging alone."""
    aside = ("meta_", "metrics_tag_", "dim_tags", "int_tag_", "int_manual_tags")
    return [name for name in project.nodes if project.is_built(name) and not name.startswith(aside)]


@pytest.mark.parametrize(
    ("as_of", "rows", "dirty"), [(CLOCKS[0], 12, 0.1), (CLOCKS[1], 20, 0.03), (CLOCKS[2], 6, 0.4)]
)
def test_no_check_trips_over_random_worlds_of_legal_dirt(
    project: Project, as_of: datetime, rows: int, dirty: float
) -> None:
    bench = Bench(project, as_of=as_of)
    fill_dirt(bench, rows, rows, dirty)
    models = checked(project)
    assert len(models) > 160
    for model in models:
        bench.build(model)
    assert broken_checks(bench, models) + broken_equalities(bench) == []


def test_a_car_that_left_the_workshop_before_it_came_is_a_moment(bench: Bench) -> None:
    visit = {"vin": "LZWADAGA000000001", "arrived_at": as_utc("2026-05-02")}
    rows = [
        visit | {"record_key": "W1", "left_at": as_utc("2026-05-01")},
        visit | {"record_key": "W2", "vin": "LZWADAGA000000002", "arrived_at": None},
    ]
    bench.given("stg_dms__service_orders", rows)
    bench.persons("dms", "service_orders", {"W1": "u1", "W2": "u1"})
    car = only(bench.build("bridge_user_vehicles"))
    assert (car["valid_from"], car["valid_to"]) == (visit["arrived_at"], visit["arrived_at"])
    assert broken_checks(bench, ["bridge_user_vehicles"]) == []
    bench.query("update profiles.bridge_user_vehicles set valid_to = timestamp '2000-01-01'")
    assert [name.split()[1] for name in broken_checks(bench, ["bridge_user_vehicles"])] == [
        "periods_are_in_order",
        "holds",
    ]


def test_a_member_of_before_the_calendar_has_every_month(bench: Bench) -> None:
    member = {"record_key": "M1", "member_code": "M1", "registered_at": as_utc("2011-05-31")}
    bench.given("stg_partner__members", [member])
    rows = bench.build("metrics_referral_member_monthly")
    assert len(rows) == 15 * 12 + 5
    assert broken_checks(bench, ["metrics_referral_member_monthly"]) == []


def test_training_of_before_the_first_levels_has_the_first_level(bench: Bench) -> None:
    record = {"staff_id": "S1", "completed_at": ALMOST_MILLENNIUM, "points": 120}
    bench.given("stg_workforce__training_records", [record | {"record_id": "T1"}])
    assert only(bench.build("metrics_training_monthly"))["level"] == "学者"
    assert broken_checks(bench, ["metrics_training_monthly"]) == []


@pytest.mark.parametrize(
    ("period", "month"),
    [("2026-07", "2026-07"), ("2099-12", "2026-08"), ("0001-01", "2026-08"), (None, "2026-08")],
)
def test_a_review_of_a_month_to_come_is_one_of_its_own_month(
    bench: Bench, period: str | None, month: str
) -> None:
    review = {"review_id": "R1", "staff_id": "S1", "score": 80.0, "period": period}
    reviewed = [review | {"reviewed_at": as_utc("2026-08-02")}]
    bench.given("stg_workforce__peer_reviews", reviewed)
    rows = bench.build("metrics_assessment_monthly")
    assert [f"{row['month']:%Y-%m}" for row in rows] == [month]
    assert broken_checks(bench, ["int_peer_reviews", "metrics_assessment_monthly"]) == []


def test_a_review_without_any_month_is_left_out(bench: Bench) -> None:
    review = {"review_id": "R1", "staff_id": "S1", "score": 80.0, "period": "7月"}
    bench.given("stg_workforce__peer_reviews", [review])
    assert bench.build("metrics_assessment_monthly") == []


def test_a_stage_that_nobody_is_in_any_more_is_no_difference(bench: Bench) -> None:
    day, stages = as_utc("2026-09-01").date(), ["对比", "决策"]
    bench.given_instead(
        "metrics_lifecycle_daily",
        [
            {"date": day, "lifecycle_stage": stage, "region": "", "users": users}
            | {"users_entered": users, "users_left": 1 - users}
            for stage, users in zip(stages, [0, 1], strict=True)
        ],
    )
    bench.given_instead("dim_users", [{"one_id": "u1", "lifecycle_stage": "决策"}])
    assert broken_checks(bench, ["metrics_lifecycle_daily"]) == []
    bench.query("update profiles.dim_users set lifecycle_stage = '对比'")
    broken = ["metrics_lifecycle_daily: the_last_day_is_what_profiles_say"]
    assert broken_checks(bench, ["metrics_lifecycle_daily"]) == broken


def test_a_phone_number_typed_as_a_profit_does_not_end_the_build(bench: Bench) -> None:
    profits = {"O1": 1_000_000, "O2": 1_391_234_567_800}
    bench.given(
        "stg_dms__orders",
        [{"record_key": o, "order_no": o, "unit_profit_fen": fen} for o, fen in profits.items()],
    )
    at = as_utc("2026-03-01")
    bench.given(
        "stg_dms__deliveries",
        [{"record_key": o, "delivery_id": o, "order_no": o, "delivered_at": at} for o in profits],
    )
    assert only(bench.build("metrics_ltv_monthly"))["margin_car_fen"] > 10**11
    assert broken_checks(bench, ["metrics_ltv_monthly"]) == []


@pytest.mark.parametrize(
    ("delivered", "read"),
    [("199.6", 200), ("6222021234567890", None), ("1e30", None), ("Infinity", None)],
)
def test_an_event_with_an_impossible_amount_does_not_end_the_build(
    bench: Bench, delivered: str, read: int | None
) -> None:
    event = {"record_key": "E1", "subject_key": "d1", "type": "track", "event": "Subscribe"}
    said = json.dumps({"amount_fen": delivered})
    bench.given("stg_app__events", [event | {"occurred_at": AS_OF, "properties": said}])
    assert only(bench.build("int_events"))["amount_fen"] == read


@pytest.mark.parametrize(("is_shared", "told"), [(False, [MOBILE]), (True, [])])
def test_a_number_of_a_hub_and_of_a_household_is_told_once_or_not(
    bench: Bench, is_shared: bool, told: list[str]
) -> None:
    record = {"source": "crm", "entity": "contacts", "record_key": "C1"}
    value = {"identifier_type": "mobile", "identifier_scope": "", "identifier_value": MOBILE}
    bench.persons("crm", "contacts", {"C1": "u1"})
    bench.given_instead("int_identity_records", [record])
    bench.given_instead("int_identity_evidence", [record | value | {"is_edge": True}])
    named = value | {"one_id": "u1", "is_shared": is_shared}
    bench.given("bridge_user_identifiers", [named])
    shared = [value | {"sharing": sharing} for sharing in ("hub", "household")]
    bench.given("identity.shared_values", shared)
    assert [row["value"] for row in bench.build("int_users__survivors")] == told
    assert broken_checks(bench, ["int_users__survivors"]) == []


def test_a_code_that_a_visitor_sends_is_no_formula() -> None:
    bench = Bench(compiled())
    sent = {"campaign_code": "=1+1", "series_code": "@SUM(A1)"}
    rows = [event("Subscribe", as_utc("2026-03-01"), "u1", **sent, dealer_code=" D1 ")]
    give_events(bench, rows)
    row = only(bench.build("int_events"))
    codes = [row[name] for name in ("campaign_code", "series_code", "dealer_code")]
    assert codes == [None, None, "D1"]
