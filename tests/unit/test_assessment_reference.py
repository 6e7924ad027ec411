"""Assessments and the bonus pool are what their definitions say, of stores drawn at random."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import isclose
from typing import Any

import pytest
from metrics_bench import Bench, Project, as_utc, compile_project, only
from team_cases import draw_teams, fill_team
from workforce_cases import Company

from reference.assessment import assessment
from reference.bonus import Served, bonus
from zhongtai.settings import load_settings

# stores drawn from seeds of their own: many worlds in a few seconds, since each range is one build
WORLDS = pytest.mark.parametrize(
    "seeds", [range(70), range(1_000, 1_070), range(2_000, 2_070)], ids=str
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("teams"), threads=2))


def agrees(found: object, expected: object) -> bool:
    """Equal, or the nearest double of an exact number (scores are rounded to 6 decimals)."""
    if isinstance(expected, Fraction | float) and isinstance(found, int | float):
        return isclose(found, expected, rel_tol=1e-9, abs_tol=1.1e-6)
    return found == expected


def differences(rows: Mapping[Any, dict[str, Any]], truth: Mapping[Any, dict[str, Any]]) -> Any:
    """Key, column, found and expected, wherever they differ."""
    assert rows.keys() == truth.keys()
    return [
        (key, name, rows[key][name], value)
        for key, expected in truth.items()
        for name, value in expected.items()
        if not agrees(rows[key][name], value)
    ]


@WORLDS
def test_assessments_are_what_their_definitions_say(project: Project, seeds: range) -> None:
    team, bench = draw_teams(seeds), Bench(project)
    fill_team(bench, team)
    for table, kind in (("monthly", "month"), ("yearly", "year")):
        totals, items = assessment(team, years=kind == "year")
        rows = {}
        for row in bench.build(f"metrics_assessment_{table}"):
            rows[_first_day(row[kind]), row["staff_id"]] = row
        assert differences(rows, totals) == []
        assert sum(total["score"] is not None for total in totals.values()) > 10
        scored = {}
        for row in bench.build(f"metrics_assessment_items_{table}"):
            scored[_first_day(row[kind]), row["staff_id"], row["item"]] = row
        assert differences(scored, items) == []
        bases = {item["basis"] for item in items.values()}
        # few have a target for every month of a year
        assert bases | {"target"} == {"target", "peers", "missing"}
        assert "target" in bases or kind == "year"


def _first_day(period: date | int) -> date:
    return date(period, 1, 1) if isinstance(period, int) else period


@WORLDS
def test_the_bonus_pool_is_shared_as_its_rule_says(project: Project, seeds: range) -> None:
    exports, bench = Served(as_utc("2026-09-01")), Bench(project)
    for number, seed in enumerate(seeds):
        company = Company(seed, number)
        company.add_to(exports)
        for day in [as_utc("2026-07-15"), as_utc("2026-08-15")] * 12:
            answer = {"staff_id": company.staff[0], "submitted_at": day, "sent_at": day}
            key = {"survey_id": f"{company.name}A{len(exports.surveys)}"}
            score = {"recommend_score": company.random.choice([3, 8, 9, 10])}
            exports.surveys.append(answer | key | score)
        for staff in company.staff[:3]:
            if company.random.random() < 0.3:
                exports.blamed.append({"staff_id": staff, "accepted_at": company.moment()})
            for month in (date(2026, 8, 1), date(2026, 7, 1)):
                for customer in range(company.random.randrange(3)):
                    key = {"month": month, "staff_id": staff, "customer_key": str(customer)}
                    exports.served.append(key)
    bench.given("stg_crm__surveys", exports.surveys)
    bench.given_instead("int_complaints", exports.blamed)
    bench.given_instead("int_customers_served", exports.served)
    rule = {"points_promoter": 1, "points_detractor": -1, "needs_zero_complaint": True}
    bench.given("bonus_rules", [rule | {"pool_fen": 100_001, "valid_from": date(2000, 1, 1)}])
    rows = bench.build("metrics_bonus_pool_monthly")
    truth = bonus(exports, 100_001)
    assert differences({(row["month"], row["staff_id"]): row for row in rows}, truth) == []
    paid = [found["bonus_fen"] for found in truth.values() if found["bonus_fen"]]
    assert len(paid) > 5
    assert sum(paid) % 100_001 == 0


@pytest.mark.parametrize(
    ("trained", "score", "coverage"), [(True, 200 / 3, 0.6), (False, None, 0.4)]
)
def test_what_lacks_leaves_its_weight_to_the_rest_down_to_half_of_a_dimension(
    project: Project, trained: bool, score: float | None, coverage: float
) -> None:
    """1.5 times a target is clipped to 100 points; who has no peers gets 50."""
    bench, day = Bench(project), as_utc("2026-08-05")
    bench.given("stg_workforce__staff", [{"staff_id": "S1", "role": "内容", "dealer_code": "D1"}])
    review = {"review_id": "R", "staff_id": "S1", "reviewed_at": day, "period": "2026-08"}
    bench.given("stg_workforce__peer_reviews", [review | {"score": 90.0}])
    target = {"scope": "staff", "scope_id": "S1", "period": "2026-08", "metric": "peer_score"}
    bench.given("stg_workforce__targets", [target | {"target": 60.0}])
    course = {"record_id": "T", "staff_id": "S1", "due_at": day, "completed_at": day}
    bench.given("stg_workforce__training_records", [course] if trained else [])
    rows = {row["month"].month: row for row in bench.build("metrics_assessment_monthly")}
    row = rows[8]
    assert row["process_score"] == pytest.approx(score)
    assert row["process_coverage"] == pytest.approx(coverage)
    assert (row["peer_score"], row["content_posts"], row["score"]) == (90.0, 0, None)
    assert row["coverage"] == pytest.approx(0.3 * coverage)


def test_a_change_of_weights_holds_from_its_month_on(project: Project) -> None:
    bench, since, change = Bench(project), date(2000, 1, 1), date(2026, 8, 1)
    names = ("parameter_set", "dimension", "weight", "valid_from", "valid_to")
    parts = {"performance": (0.4, 0.2), "user": (0.3, 0.2), "process": (0.3, 0.6)}
    rows = [("short", d, w[0], since, change) for d, w in parts.items()]
    rows += [("short", d, w[1], change, None) for d, w in parts.items()]
    bench.given("assessment_weights", [dict(zip(names, row, strict=True)) for row in rows])
    bench.given("stg_workforce__staff", [{"staff_id": "S1"}])
    days = {"R7": "2026-07-31", "R8": "2026-08-01"}
    reviews = [
        {"review_id": k, "staff_id": "S1", "reviewed_at": as_utc(d)} for k, d in days.items()
    ]
    bench.given("stg_workforce__peer_reviews", [row | {"score": 80.0} for row in reviews])
    found = {
        row["month"].month: row["coverage"] for row in bench.build("metrics_assessment_monthly")
    }
    assert (found[7], found[8]) == (pytest.approx(0.3 / 5), pytest.approx(0.6 / 5))


def test_full_marks_are_a_hundred_points_however_the_weights_divide(project: Project) -> None:
    """In doubles 57.0 / 0.57 is more than 100, and 0.33 + 0.56 + 0.11 more than 1."""
    bench, month = Bench(project), {"period_kind": "month", "period": date(2026, 8, 1)}
    parts = {"performance": 0.33, "user": 0.56, "process": 0.11}
    rows = [
        {"parameter_set": name, "dimension": d, "weight": w, "valid_from": date(2000, 1, 1)}
        for d, w in parts.items()
        for name in ("short", "long")
    ]
    bench.given("assessment_weights", rows)
    member = month | {"staff_id": "S1", "dealer_code": "D1", "tenure_stage": "2年以上"}
    bench.given_instead("int_assessment_members", [member])
    item = {"item": "deals", "value": 1.0, "weight": 0.57, "weighted_score": 57.0, "coverage": 1.0}
    bench.given_instead("int_assessment_scores", [member | item | {"dimension": d} for d in parts])
    row = only(bench.build("int_assessment_totals"))
    assert {row[f"{dimension}_score"] for dimension in parts} == {100.0}
    assert row["short_coverage"] == 1.0
    assert row["long_score"] == 100.0
