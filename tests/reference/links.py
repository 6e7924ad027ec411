"""Customers of a dealer and the links to them, each day's end looked at anew."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from reference.daily import end_of
from reference.exports import Row, local_date


@dataclass
class Links:
    """Rows about customers, times naive UTC; each names its `person` and `dealer_code`."""

    leads: list[Row] = field(default_factory=list)
    follow_ups: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    wecom: list[Row] = field(default_factory=list)


def dual_links(links: Links, days: Sequence[date], as_of: datetime) -> dict[Hashable, Counter[str]]:
    """Counts of metrics_dual_link_daily by (date, dealer), where there are any."""
    found: dict[Hashable, Counter[str]] = {}
    for day in days:
        moment = min(end_of(day), as_of)
        for dealer in {row["dealer_code"] for row in [*links.leads, *links.orders, *links.wecom]}:
            counts = _stock(links, dealer, moment)
            for name, column in (("wecom_added", "added_at"), ("wecom_deleted", "deleted_at")):
                for contact in links.wecom:
                    at = contact[column] if contact["dealer_code"] == dealer else None
                    if at and contact["added_at"] <= at < as_of and local_date(at) == day:
                        counts[name] += 1
            if dealer and +counts:
                found[day, dealer] = counts
    return found


def _of(rows: Sequence[Row], dealer: str | None) -> list[Row]:
    return [row for row in rows if row["dealer_code"] == dealer and row["person"]]


def _stock(links: Links, dealer: str | None, moment: datetime) -> Counter[str]:
    leads, counts = _of(links.leads, dealer), Counter[str]()
    known = {row["person"] for row in leads if row["created_at"] < moment}
    for order in _of(links.orders, dealer):
        times = [order["small_ordered_at"], order["large_ordered_at"]]
        if any(at and at < moment for at in times):
            known.add(order["person"])
    numbers = {row["lead_id"]: row["person"] for row in leads}
    called = {
        row["person"]
        for row in leads
        if row["is_connected"] and row["first_contacted_at"] and row["first_contacted_at"] < moment
    }
    called |= {
        numbers[call["lead_id"]]
        for call in links.follow_ups
        if call["lead_id"] in numbers
        and call["is_connected"]
        and call["method"] == "电话"
        and call["followed_up_at"] < moment
    }
    added = {
        contact["person"]
        for contact in _of(links.wecom, dealer)
        if contact["added_at"] < moment and not _is_deleted(contact, moment)
    }
    counts["customers"] = len(known)
    counts["phone_link_rate_num"] = len(known & called)
    counts["wecom_link_rate_num"] = len(known & added)
    counts["dual_link_rate_num"] = len(known & called & added)
    return counts


def _is_deleted(contact: Row, moment: datetime) -> bool:
    at = contact["deleted_at"]
    return at is not None and contact["added_at"] <= at < moment
