"""Quality issues, campaigns, the regional task force and the software of cars, row by row."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from reference.exports import Exports, Row, count, in_window, local_date, ratio
from reference.funnel import collect_leads, kept_order

Counts = dict[Hashable, Counter[str]]


@dataclass
class FieldExports(Exports):
    """The staged rows of this area beside those of the funnel; `joins` are app events."""

    campaigns: list[Row] = field(default_factory=list)
    joins: list[Row] = field(default_factory=list)
    surveys: list[Row] = field(default_factory=list)
    action_items: list[Row] = field(default_factory=list)
    quality_issues: list[Row] = field(default_factory=list)
    vehicles: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    software_targets: list[Row] = field(default_factory=list)


def mature(row: Row, column: str, days: int, as_of: datetime) -> bool:
    return row[column] is not None and row[column] + timedelta(days=days) <= as_of


def quality(exports: FieldExports) -> Counts:
    """All counts of metrics_quality_issue_daily by (date, series, part, source)."""
    series = {v["vin"]: v["series_code"] for v in exports.vehicles}
    as_of = exports.as_of

    def key(row: Row) -> Hashable:
        of = row["series_code"] or series.get(row["vin"]) or ""
        return local_date(row["raised_at"]), of, row["fault_part"] or "", row["issue_source"] or ""

    def verified_at(row: Row) -> datetime | None:
        fixed, verified = row["fixed_at"], row["verified_at"]
        return verified if fixed is not None and verified and verified >= fixed else None

    def within(column: str, days: int) -> Callable[[Row], bool]:
        return lambda row: in_window(row[column], row["raised_at"], days)

    def is_mature(days: int) -> Callable[[Row], bool]:
        return lambda row: mature(row, "raised_at", days, as_of)

    def has_come_back(row: Row) -> bool:
        return any(
            other is not row
            and None not in {row["vin"], row["fault_part"]}
            and (other["vin"], other["fault_part"]) == (row["vin"], row["fault_part"])
            and in_window(other["raised_at"], row["fixed_at"], 30)
            for other in exports.quality_issues
        )

    def took(column: str) -> Callable[[Row], bool]:
        return lambda row: row[column] is not None and row[column] >= row["raised_at"]

    rows = [{**row, "verified_at": verified_at(row)} for row in exports.quality_issues]
    exports.quality_issues = list(rows)
    measures: dict[str, Callable[[Row], bool]] = {
        "issues_raised": lambda _row: True,
        "issues_escalated": lambda row: row["escalated_at"] is not None,
        "issues_fixed": lambda row: row["fixed_at"] is not None,
        "issues_verified": lambda row: row["verified_at"] is not None,
        **ratio("escalated_rate_1d", within("escalated_at", 1), is_mature(1)),
        **ratio("verified_rate_30d", within("verified_at", 30), is_mature(30)),
        **ratio("recurrence_rate_30d", has_come_back, lambda r: mature(r, "fixed_at", 30, as_of)),
        "escalation_minutes_count": took("escalated_at"),
        "fix_minutes_count": took("fixed_at"),
        "verification_minutes_count": took("verified_at"),
    }
    for days in (1, 2, 7, 30):
        measures |= ratio(f"fixed_rate_{days}d", within("fixed_at", days), is_mature(days))
    return count([row for row in rows if row["raised_at"] is not None], key, measures)


def campaign_days(row: Row, as_of: datetime) -> dict[date, int]:
    """The days on which a campaign runs, up to as-of, and the budget of each in fen."""
    if row["started_at"] is None:
        return {}
    first, today = local_date(row["started_at"]), local_date(as_of)
    end = row["ended_at"]
    last = first if end is None else max(first, local_date(end - timedelta(microseconds=1)))
    planned = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    spent, shares = 0, {}
    for place, day in enumerate(planned, start=1):
        so_far = (row["budget_fen"] or 0) * place // len(planned)
        shares[day] = so_far - spent
        spent = so_far
    while end is None and last < today:
        last += timedelta(days=1)
        shares[last] = 0
    return {day: share for day, share in shares.items() if day <= today}


def campaign(exports: FieldExports) -> Counts:
    """All counts of metrics_campaign_daily by (date, campaign)."""
    leads = collect_leads(exports)
    found: Counts = _campaign_leads(leads, exports.as_of)
    empty = dict.fromkeys(_MEASURES, 0)

    def at(day: date, code: str) -> Counter[str]:
        return found.setdefault((day, code), Counter(empty))

    for row in exports.campaigns:
        for day, share in campaign_days(row, exports.as_of).items():
            at(day, row["campaign_code"])["budget_fen"] = share
    persons: dict[Hashable, set[str]] = defaultdict(set)
    firsts: dict[tuple[str, str], datetime] = {}
    for row in exports.joins:
        code, person = row["campaign_code"], exports.one_id.get(("app", "events", row["subject"]))
        day = local_date(row["occurred_at"])
        at(day, code)["joins"] += 1
        if person:
            persons[day, code].add(person)
            seen = firsts.get((code, person), row["occurred_at"])
            firsts[code, person] = min(seen, row["occurred_at"])
    for (day, code), joined in persons.items():  # type: ignore[misc]
        at(day, code)["participants"] = len(joined)
    for (code, person), joined_at in firsts.items():
        cell = at(local_date(joined_at), code)
        cell["participants_new"] += 1
        if joined_at + timedelta(days=30) <= exports.as_of:
            cell["join_lead_rate_30d_den"] += 1
            cell["join_lead_rate_30d_num"] += any(
                lead["is_valid"]
                and lead["one_id"] == person
                and in_window(lead["created_at"], joined_at, 30)
                for lead in leads
            )
    return {key: Counter(empty | counted) for key, counted in found.items()}


_LEAD_WINDOWS = (("visit_rate", "visited_at", 30), ("test_drive_rate", "test_driven_at", 30),
                 ("delivery_rate", "delivered_at", 90))  # fmt: skip
_MEASURES = [
    *("budget_fen", "joins", "participants", "participants_new", "leads_created", "leads_test"),
    *("leads_staff", "leads_valid", "join_lead_rate_30d_num", "join_lead_rate_30d_den"),
    *(f"{name}_{days}d_{end}" for name, _, days in _LEAD_WINDOWS for end in ("num", "den")),
    *("order_rate_30d_num", "order_rate_30d_den"),
]


def _campaign_leads(leads: list[dict[str, Any]], as_of: datetime) -> Counts:
    def valid(days: int) -> Callable[[Row], bool]:
        return lambda lead: lead["is_valid"] and mature(lead, "created_at", days, as_of)

    def within(column: str, days: int) -> Callable[[Row], bool]:
        return lambda lead: in_window(lead[column], lead["created_at"], days)

    measures: dict[str, Callable[[Row], bool]] = {
        "leads_created": lambda lead: not lead["is_test"],
        "leads_test": lambda lead: lead["is_test"],
        "leads_staff": lambda lead: not lead["is_test"] and lead["is_staff"],
        "leads_valid": lambda lead: lead["is_valid"],
        **ratio("order_rate_30d", lambda lead: kept_order(lead, "large", 30), valid(30)),
    }
    for name, column, days in _LEAD_WINDOWS:
        measures |= ratio(f"{name}_{days}d", within(column, days), valid(days))
    of = [lead for lead in leads if lead.get("campaign_code")]
    return count(of, lambda lead: (local_date(lead["created_at"]), lead["campaign_code"]), measures)


def monday(moment: datetime) -> date:
    day = local_date(moment)
    return day - timedelta(days=day.weekday())


def region(exports: FieldExports) -> Counts:
    """All counts of metrics_region_weekly by (week, region)."""
    as_of = exports.as_of
    measures: dict[str, Callable[[Row], bool]] = {
        "leads_created": lambda row: "lead_id" in row and not row["is_test"],
        "leads_valid": lambda row: "lead_id" in row and row["is_valid"],
        "promoters": lambda row: "survey_id" in row and row["recommend_score"] >= 9,
        "detractors": lambda row: "survey_id" in row and row["recommend_score"] <= 6,
        "joint_nps_den": lambda row: "survey_id" in row,
        "actions": lambda row: "item_id" in row,
        **ratio(
            "meeting_action_close_rate",
            lambda row: row["closed_at"] is not None and row["closed_at"] <= row["due_at"],
            lambda row: "item_id" in row and row["due_at"] is not None and row["due_at"] <= as_of,
        ),
    }
    for name, days in (("", 30), ("_60d", 60), ("_90d", 90)):
        measures |= _conversion(f"joint_conversion{name}", days, as_of)
    rows: list[Row] = [
        {**lead, "week": monday(lead["created_at"]), "region": exports.region(lead["dealer_code"])}
        for lead in collect_leads(exports)
    ]
    rows += [
        {**s, "week": monday(s["submitted_at"]), "region": exports.region(s["dealer_code"])}
        for s in exports.surveys
        if s["submitted_at"] and s["recommend_score"] in range(11)
    ]
    rows += [
        {**item, "week": monday(item["meeting_at"]), "region": item["region"] or ""}
        for item in exports.action_items
        if item["meeting_at"]
    ]
    found = count(rows, lambda row: (row["week"], row["region"]), measures)
    for counted in found.values():
        counted["joint_nps_num"] = counted.pop("promoters") - counted.pop("detractors")
    return found


def _conversion(name: str, days: int, as_of: datetime) -> Mapping[str, Callable[[Row], bool]]:
    return ratio(
        name,
        lambda row: kept_order(row, "large", days),
        lambda row: "lead_id" in row and row["is_valid"] and mature(row, "created_at", days, as_of),
    )


def owners(exports: FieldExports) -> dict[Hashable, tuple[str | None, str | None]]:
    """The staff of carmaker and of dealers who own actions, by (week, region)."""
    dealers = {s["staff_id"] for s in exports.staff if s["dealer_code"]}
    found: dict[Hashable, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for item in exports.action_items:
        if item["meeting_at"]:
            sides = found[monday(item["meeting_at"]), item["region"] or ""]
            if item["staff_id"]:
                sides[item["staff_id"] in dealers].add(item["staff_id"])
    return {
        key: (",".join(sorted(carmaker)) or None, ",".join(sorted(dealer)) or None)
        for key, (carmaker, dealer) in found.items()
    }


def numbers(version: str | None) -> tuple[int, ...]:
    found = [int(part) for part in re.findall(r"[0-9]+", version or "")][:4]
    return tuple(found + [0] * (4 - len(found)))


def fleet(exports: FieldExports) -> Counts:
    """All counts of metrics_fleet_software_daily by (date, series, version, status)."""
    today = local_date(exports.as_of)
    targets: dict[str, tuple[int, ...]] = {}
    for car in exports.vehicles:
        of = car["series_code"]
        if of and car["software_version"]:
            targets[of] = max(targets.get(of, ()), numbers(car["software_version"]))
    for row in sorted(exports.software_targets, key=lambda r: r["valid_from"]):
        if row["valid_from"] <= today and (row["valid_to"] is None or row["valid_to"] > today):
            targets[row["series_code"]] = numbers(row["software_version"])

    def key(car: Row) -> Hashable:
        names = ("series_code", "software_version", "stock_status")
        return today, *(car[name] or "" for name in names)

    def is_outdated(car: Row) -> bool:
        target = targets.get(car["series_code"] or "")
        known = car["software_version"]
        return not known if target is None else numbers(known) < target

    measures: dict[str, Callable[[Row], bool]] = {
        "vehicles": lambda _car: True,
        **ratio("update_due_rate", is_outdated, lambda x: x["stock_status"] in ("在途", "在库")),
    }
    return count(exports.vehicles, key, measures)
