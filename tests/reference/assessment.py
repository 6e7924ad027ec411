"""The 40/30/30 assessment, one member of staff after the other."""

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from math import sqrt
from typing import Any

from reference.assessment_items import Team, entries
from reference.exports import local_date

Period = tuple[date, str]  # its first day, staff
Measures = dict[str, Any]
DIMENSIONS = {
    "performance": ("deals", "revenue_fen", "conversion"),
    "user": ("nps", "repurchase_rate_36m", "referral_rate_12m", "community_activity"),
    "process": (
        "first_response_timely_rate",
        "content_posts",
        "content_quality",
        "training_completion",
        "peer_score",
    ),
}
COUNTS = ("deals", "revenue_fen", "content_posts")
EXPECTED_OF = {
    "deals": ("销售顾问",),
    "revenue_fen": ("销售顾问",),
    "content_posts": ("销售顾问", "用户运营", "内容"),
}
SHORT = {"performance": Fraction(40, 100), "user": Fraction(30, 100), "process": Fraction(30, 100)}
LONG = {"performance": Fraction(20, 100), "user": Fraction(40, 100), "process": Fraction(40, 100)}


def assessment(team: Team, years: bool) -> tuple[dict[Period, Measures], dict[Any, Measures]]:
    """Totals by (period, staff), items by (period, staff, item), of months or of years."""
    done = entries(team)
    members = _members(team, {month for month, _ in done}) | set(done)
    months: dict[Period, list[date]] = defaultdict(list)
    for month, person in members:
        months[month.replace(month=1) if years else month, person].append(month)
    staff = {row["staff_id"]: row for row in team.staff}
    targets = _targets(team)
    results: dict[Period, Measures] = {}
    peers: dict[Any, list[float]] = defaultdict(list)
    for (period, person), covered in months.items():
        row = staff.get(person, {})
        store = row.get("dealer_code") or ""
        stage = _stage(row.get("hired_on"), _last_day(period, years, team))
        keys = [(month, person) for month in covered]
        items = {
            item: _result(item, keys, done, targets, row.get("role"))
            for names in DIMENSIONS.values()
            for item in names
        }
        results[period, person] = {"dealer": store, "stage": stage, "items": items}
        for item, result in items.items():
            if result["value"] is not None:
                peers[period, store, stage, item].append(float(result["value"]))
    scores = {
        (period, person, item): scored
        for (period, person), result in results.items()
        for item, scored in _score(result, period, peers).items()
    }
    totals = {
        key: _total(key, result, scores, LONG if years else SHORT)
        for key, result in results.items()
    }
    _rank(totals, results, years)
    return totals, scores


def _members(team: Team, months: set[date]) -> set[Period]:
    found, last = set(), local_date(team.as_of)
    month = min(months, default=last + timedelta(days=1))
    while month <= last:
        for row in team.staff:
            hired, left = row["hired_on"], row["left_on"]
            if (not hired or hired.replace(day=1) <= month) and (not left or left >= month):
                found.add((month, row["staff_id"]))
        month = (month + timedelta(days=31)).replace(day=1)
    return found


def _last_day(period: date, years: bool, team: Team) -> date:
    following = (period + timedelta(days=366 if years else 31)).replace(day=1)
    if years:
        following = following.replace(month=1)
    return min(following - timedelta(days=1), local_date(team.as_of))


def _stage(hired: date | None, today: date) -> str:
    if hired is None:
        return ""
    months = (today.year - hired.year) * 12 + today.month - hired.month - (today.day < hired.day)
    return "0-6m" if months < 6 else "6m-2y" if months < 24 else "2y+"


def _targets(team: Team) -> dict[Any, Fraction]:
    """Targets of persons that can be reached, by month, person and item."""
    return {
        (date.fromisoformat(f"{row['period']}-01"), row["scope_id"], row["metric"]): Fraction(
            row["target"]
        )
        for row in team.targets
        if row["scope"] == "staff" and (row["target"] or 0) > 0
    }


def _result(
    item: str, months: list[Period], done: Any, targets: dict[Any, Fraction], role: str | None
) -> Measures:
    there = [done[key][item] for key in months if item in done.get(key, {})]
    num = sum((num for num, _ in there), Fraction(0))
    den = sum((den or Fraction(0) for _, den in there), Fraction(0))
    meant = [targets[*key, item] for key in months if (*key, item) in targets]
    whole = len(meant) == len(months)
    if item in COUNTS:
        value = num if there or role in EXPECTED_OF[item] else None
        target = sum(meant) if whole else None
    else:
        value = num / den if den >= (10 if item == "nps" else 1) else None
        target = sum(meant) / len(meant) if whole else None
    return {"num": num, "den": den, "value": value, "target": target}


def _score(mine: Measures, period: date, peers: dict[Any, list[float]]) -> dict[str, Measures]:
    found = {}
    for dimension, items in DIMENSIONS.items():
        there = [item for item in items if mine["items"][item]["value"] is not None]
        enough = 2 * len(there) >= len(items)
        for item in items:
            result = mine["items"][item]
            value, target = result["value"], result["target"]
            if value is None:
                basis, score = "missing", None
            elif target is not None:
                clipped = min(max(value / target, Fraction(0)), Fraction(6, 5))
                basis, score = "target", 100 * clipped / Fraction(6, 5)
            else:
                group = peers[period, mine["dealer"], mine["stage"], item]
                basis, score = "peers", _percentile(float(value), group)
            share = Fraction(1, len(there)) if value is not None and enough else None
            found[item] = {
                "dimension": dimension,
                "basis": basis,
                "value": value,
                "item_score": score,
                "item_share": share,
            }
    return found


def _percentile(value: float, group: list[float]) -> Fraction:
    below, equal = sum(v < value for v in group), sum(v == value for v in group)
    return 100 * (below + Fraction(equal, 2)) / len(group)


def _total(key: Period, result: Measures, items: Any, weights: dict[str, Fraction]) -> Measures:
    found: Measures = {"score": Fraction(0), "coverage": Fraction(0), "tenure_stage": ""}
    for dimension, names in DIMENSIONS.items():
        scores = [items[*key, name]["item_score"] for name in names]
        there = [score for score in scores if score is not None]
        coverage = Fraction(len(there), len(names))
        score = sum(there) / len(there) if coverage >= Fraction(1, 2) else None
        found[f"{dimension}_score"], found[f"{dimension}_coverage"] = score, coverage
        found["coverage"] += weights[dimension] * coverage
        if score is None or found["score"] is None:
            found["score"] = None
        else:
            found["score"] += weights[dimension] * score
    for name, item in result["items"].items():
        if name in COUNTS:
            found[name] = item["num"]
        elif name == "peer_score":
            found[name] = item["value"]
        else:
            found |= {f"{name}_num": item["num"], f"{name}_den": item["den"]}
            found[name] = item["num"] / item["den"] if item["den"] else None
    found["nps"] = found["nps"] if found["nps_den"] >= 10 else None
    found["tenure_stage"] = result["stage"]
    if found["score"] is not None:
        found["score"] = Fraction(round(found["score"], 6))
    return found


def _rank(totals: dict[Period, Measures], results: dict[Period, Measures], years: bool) -> None:
    scored: dict[date, dict[str, Measures]] = defaultdict(dict)
    for (period, person), found in totals.items():
        if found["score"] is not None:
            scored[period][person] = found
    stable: dict[Any, float | None] = {}
    for (period, person), found in totals.items():
        store, score, rivals = results[period, person]["dealer"], found["score"], scored[period]
        mates = {w: o for w, o in rivals.items() if results[period, w]["dealer"] == store}
        for name, others in (("score_rank", rivals), ("store_rank", mates)):
            better = 1 + sum(score is not None and o["score"] > score for o in others.values())
            found[name] = None if score is None else better
        before = (period - timedelta(days=1)).replace(day=1)
        earlier = scored[before.replace(month=1) if years else before]
        known = score is not None and person in earlier
        found["score_change"] = score - earlier[person]["score"] if known else None
        if not years:
            if (period, store) not in stable:
                stable[period, store] = _stability(mates, earlier) if store else None
            found["rank_stability"] = stable[period, store]


def _stability(mates: dict[str, Measures], earlier: dict[str, Measures]) -> float | None:
    """Kendall's tau-b over the staff of a store with a score in both months."""
    pairs = []
    both = [(m["score"], earlier[who]["score"]) for who, m in mates.items() if who in earlier]
    for place, (now, then) in enumerate(both):
        for other_now, other_then in both[place + 1 :]:
            pairs.append((_sign(now - other_now), _sign(then - other_then)))
    untied = [sum(pair[side] != 0 for pair in pairs) for side in (0, 1)]
    if not all(untied):
        return None
    return sum(now * then for now, then in pairs) / sqrt(untied[0] * untied[1])


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
