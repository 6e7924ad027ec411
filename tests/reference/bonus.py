"""The NPS pool of a month, shared among who served without a complaint."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from reference.exports import Row
from reference.workforce import Measures, Workforce, month_of, net_promoters, valid_responses


@dataclass
class Served(Workforce):
    """Beside surveys: who complained about whom, and who was served by whom."""

    blamed: list[Row] = field(default_factory=list)  # int_complaints
    served: list[Row] = field(default_factory=list)  # int_customers_served


def bonus(exports: Served, pool_fen: int) -> dict[Any, Measures]:
    """metrics_bonus_pool_monthly by (month, staff), with so much to share every month."""
    rows: dict[tuple[date, str], Measures] = defaultdict(_nothing)
    valid = valid_responses(exports)
    for row in valid:
        if row["staff_id"]:
            found = rows[month_of(row["submitted_at"]), row["staff_id"]]
            found["promoters"] += row["recommend_score"] >= 9
            found["detractors"] += row["recommend_score"] <= 6
            found["responses"] += 1
    for row in exports.surveys:
        if row["staff_id"] and row["sent_at"]:
            found = rows[month_of(row["sent_at"]), row["staff_id"]]
            found["response_rate_den"] += 1
            found["response_rate_num"] += row in valid
    for row in exports.blamed:
        if row["staff_id"] and row["accepted_at"]:
            rows[month_of(row["accepted_at"]), row["staff_id"]]["complaints_accepted"] += 1
    for row in exports.served:
        rows[row["month"], row["staff_id"]]["customers_served"] += 1
    for month in {month for month, _ in rows}:
        _share({staff: found for (m, staff), found in rows.items() if m == month}, pool_fen)
    return dict(rows)


def _nothing() -> Measures:
    counts = ("promoters", "detractors", "responses", "response_rate_num", "response_rate_den")
    return dict.fromkeys((*counts, "complaints_accepted", "customers_served"), 0)


def _share(month: dict[str, Measures], pool_fen: int) -> None:
    for found in month.values():
        promoters, detractors = found.pop("promoters"), found.pop("detractors")
        found.update(net_promoters(promoters, detractors, found.pop("responses")))
        flag = found["complaints_accepted"] == 0 and found["customers_served"] > 0
        found["zero_complaint_flag"] = flag
        eligible = flag and found["nps"] is not None
        found["pool_share_num"] = max(promoters - detractors, 0) if eligible else 0
        sent, answered = found["response_rate_den"], found["response_rate_num"]
        found["response_rate"] = answered / sent if sent else None
    points = sum(found["pool_share_num"] for found in month.values())
    due = {
        staff: Fraction(pool_fen * found["pool_share_num"], points or 1)
        for staff, found in month.items()
    }
    left = pool_fen - sum(int(amount) for amount in due.values())
    first = sorted(due, key=lambda staff: (int(due[staff]) - due[staff], staff))[:left]
    for staff, found in month.items():
        amount = int(due[staff]) + (staff in first)
        found["pool_share_den"] = points
        found["pool_share"] = found["pool_share_num"] / points if points else None
        found["bonus_fen"] = amount if points else None
