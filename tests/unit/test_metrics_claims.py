"""Claims of the founding documents beside what is measured."""

from collections.abc import Mapping
from csv import DictReader
from datetime import date
from math import sqrt
from random import Random

import pytest
from metrics_bench import Bench, Project, compile_project

from zhongtai.settings import load_settings

COMPLAINTS = "metrics_complaint_daily"
MEMBERS, CARE = "metrics_referral_member_monthly", "metrics_owner_care_monthly"
ISSUES = "metrics_quality_issue_daily"
MEASURED = {
    ("inquiry_after_views", "hits"): ("metrics_behaviour_rule_weekly", "rule_precision_72h"),
    ("complaint_contact_24h", "accepted"): (COMPLAINTS, "contact_24h_rate"),
    ("complaints_misleading", "accepted"): (COMPLAINTS, "misleading_share"),
    ("lead_capture", "members"): (MEMBERS, "lead_capture_rate_members"),
    ("lead_capture", "visitors"): (MEMBERS, "lead_capture_rate_visitors"),
    ("quality_issue_day", "escalated"): (ISSUES, "escalated_rate_1d"),
    ("quality_issue_repair", "fixed"): (ISSUES, "fixed_rate_2d"),
    ("silent_owners", "deliveries"): (CARE, "silent_180_rate"),
    ("contacts_after_delivery", "deliveries"): (CARE, "owner_touch_90d"),
    ("proactive_contacts", "contacts"): (CARE, "proactive_share"),
    ("fan_visits", "fans"): ("metrics_wecom_fans_monthly", "fan_to_visit_rate_90"),
    ("training_completion", "due"): ("metrics_training_monthly", "training_completion"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("metrics"), threads=2))


def claims(bench: Bench) -> dict[tuple[str, str], dict[str, object]]:
    return {(row["claim"], row["reading"]): row for row in bench.build("metrics_claims")}


def wilson(hits: int, cases: int) -> tuple[float, float]:
    """Wilson (1927), eq. for the score interval at 95 %."""
    share, z = hits / cases, 1.959963984540054
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z / (1 + z * z / cases) * sqrt(share * (1 - share) / cases + z * z / (4 * cases**2))
    return middle - half, middle + half


def test_every_claim_is_there_also_where_nothing_is_measured(project: Project) -> None:
    found = claims(Bench(project))
    assert len(found) == 12
    assert {row["verdict"] for row in found.values()} == {"no data"}
    assert {row["measured"] for row in found.values()} == {None}


@pytest.mark.parametrize(
    ("hits", "cases", "verdict"), [(70, 184, "agrees"), (120, 184, "higher"), (40, 184, "lower")]
)
def test_a_finding_agrees_within_the_interval_of_the_measurement(
    project: Project, hits: int, cases: int, verdict: str
) -> None:
    bench = Bench(project)
    half: Mapping[str, object] = {
        "date": None,
        "misleading_share_num": hits // 2,
        "misleading_share_den": cases // 2,
    }
    bench.given_instead(COMPLAINTS, [half, half])
    row = claims(bench)["complaints_misleading", "accepted"]
    assert (row["measured_num"], row["measured_den"]) == (hits, cases)
    assert (row["measured_low"], row["measured_high"]) == pytest.approx(wilson(hits, cases))
    assert row["verdict"] == verdict


@pytest.mark.parametrize(("hits", "verdict"), [(100, "agrees"), (99, "missed")])
def test_a_promise_without_exception_is_missed_by_the_first_exception_that_shows(
    project: Project, hits: int, verdict: str
) -> None:
    bench = Bench(project)
    bench.given_instead(COMPLAINTS, [{"contact_24h_rate_num": hits, "contact_24h_rate_den": 100}])
    assert claims(bench)["complaint_contact_24h", "accepted"]["verdict"] == verdict


@pytest.mark.parametrize("cases", [1, 2, 3, 7, 11, 100])
@pytest.mark.parametrize("share", [0, 1])
def test_a_share_of_all_or_none_lies_in_its_interval(
    project: Project, cases: int, share: int
) -> None:
    bench = Bench(project)
    counts = {"contact_24h_rate_num": share * cases, "contact_24h_rate_den": cases}
    bench.given_instead(COMPLAINTS, [counts])
    row = claims(bench)["complaint_contact_24h", "accepted"]
    low, high = row["measured_low"], row["measured_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low <= share <= high


def judge(says: str, claimed: float, hits: int, cases: int, *, is_share: bool) -> str:
    """What a measurement says of a claim, in the words of the table's description."""
    if cases == 0:
        return "no data"
    low, high = wilson(hits, cases) if is_share else (hits / cases, hits / cases)
    if min(low, hits / cases) <= claimed <= max(high, hits / cases):
        return "agrees"
    if says == "about":
        return "higher" if hits / cases > claimed else "lower"
    is_kept = hits / cases >= claimed if says == "at_least" else hits / cases <= claimed
    return "kept" if is_kept else "missed"


def test_two_hundred_worlds_are_compared_with_what_is_claimed(project: Project) -> None:
    """Counts of several rows, drawn around what is claimed."""
    bench, random = Bench(project), Random(52)  # noqa: S311  # repeatable, not secret
    with (project.root / "seeds" / "claims.csv").open(encoding="utf-8") as file:
        claimed = {(row["claim"], row["reading"]): row for row in DictReader(file)}
    assert claimed.keys() == MEASURED.keys()
    verdicts = set()
    for _world in range(200):
        drawn: dict[tuple[str, str], list[tuple[int, int]]] = {}
        tables: dict[str, list[dict[str, object]]] = {}
        for key, (table, metric) in MEASURED.items():
            share, is_share = float(claimed[key]["claimed"]), claimed[key]["is_share"] == "true"
            cases = [random.choice([0, 1, 7, 40, 900]) for _ in range(2)]
            near = share * random.choice([0.5, 0.95, 1, 1.05, 2])
            most = [count if is_share else 9 * count for count in cases]
            hits = [min(round(near * n), limit) for n, limit in zip(cases, most, strict=True)]
            drawn[key] = list(zip(hits, cases, strict=True))
            month = {"month": date(2026, 8, 1)} if table == MEMBERS else {}
            rows = tables.setdefault(table, [dict(month), dict(month)])
            for row, (hit, case) in zip(rows, drawn[key], strict=True):
                row |= {f"{metric}_num": hit, f"{metric}_den": case}
        for table, rows in tables.items():
            bench.given_instead(table, rows)
        bench.remake("metrics_claims")
        for key, row in claims(bench).items():
            hits, cases = map(sum, zip(*drawn[key], strict=True))
            says, share = claimed[key]["says"], float(claimed[key]["claimed"])
            is_share = claimed[key]["is_share"] == "true"
            assert (row["measured_num"], row["measured_den"]) == (hits, cases)
            assert row["verdict"] == judge(says, share, hits, cases, is_share=is_share), key
            verdicts.add(row["verdict"])
    assert verdicts == {"no data", "agrees", "higher", "lower", "kept", "missed"}


def test_of_a_stock_only_the_last_month_counts(project: Project) -> None:
    bench = Bench(project)
    months = [
        {
            "month": month,
            "lead_capture_rate_members_num": count,
            "lead_capture_rate_members_den": 100,
            "lead_capture_rate_visitors_num": count,
            "lead_capture_rate_visitors_den": 100,
        }
        for month, count in (("2026-07-01", 10), ("2026-08-01", 60))
    ]
    bench.given_instead("metrics_referral_member_monthly", months)
    found = claims(bench)
    assert found["lead_capture", "members"]["measured_num"] == 60
    assert found["lead_capture", "visitors"]["measured_num"] == 70
    assert found["lead_capture", "members"]["verdict"] == "kept"


def test_a_mean_has_no_interval(project: Project) -> None:
    bench = Bench(project)
    bench.given_instead(
        "metrics_owner_care_monthly",
        [{"owner_touch_90d_num": 30, "owner_touch_90d_den": 20, "proactive_share_num": 1,
          "proactive_share_den": 30}],
    )  # fmt: skip
    found = claims(bench)
    touches = found["contacts_after_delivery", "deliveries"]
    assert (touches["measured"], touches["measured_low"]) == (1.5, None)
    assert touches["verdict"] == "higher"
    assert found["proactive_contacts", "contacts"]["verdict"] == "agrees"
