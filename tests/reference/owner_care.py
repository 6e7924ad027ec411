"""Owners after the sale, delivery by delivery."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reference.exports import Row, in_window, local_date
from reference.working_time import CHINA


@dataclass
class Owners:
    """Staged rows, times naive UTC; a delivery has its order's `buyer`, a contact its `person`."""

    as_of: datetime
    deliveries: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    service_orders: list[Row] = field(default_factory=list)
    referrals: list[Row] = field(default_factory=list)


def owner_care(owners: Owners) -> dict[Hashable, Counter[str]]:
    """Counts of metrics_owner_care_monthly by month, dealer and staff."""
    found: dict[Hashable, Counter[str]] = {}
    for delivery in owners.deliveries:
        day = local_date(delivery["delivered_at"])
        key = (day.replace(day=1), delivery["dealer_code"] or "", delivery["staff_id"] or "")
        counts = found.setdefault(key, Counter(dict.fromkeys(_NAMES, 0)))
        counts.update(_counts(owners, delivery, day))
    return found


_RATIOS = ["owner_touch_90d", "proactive_share", "silent_180_rate", "day7_visit_rate"]
_RATIOS += ["repurchase_rate_36m", "repurchase_rate_60m", "referral_rate_12m", "service_active"]
_NAMES = ["deliveries", *(f"{name}_{part}" for name in _RATIOS for part in ("num", "den"))]


def _counts(owners: Owners, delivery: Row, day: date) -> dict[str, int]:
    at, as_of = delivery["delivered_at"], owners.as_of
    contacts = [c for c in owners.contacts if _is_about(c, delivery)]
    early = [c for c in contacts if in_window(c["contacted_at"], at, 90)]
    active = [c for c in early if c["is_proactive"]]
    found = {"deliveries": 1}
    if at + timedelta(days=90) <= as_of:
        found["owner_touch_90d_num"] = sum(c["purpose"] != "保养提醒" for c in active)
        found["owner_touch_90d_den"] = 1
        found["proactive_share_num"], found["proactive_share_den"] = len(active), len(early)
    if at + timedelta(days=180) <= as_of:
        heard = [c for c in contacts if in_window(c["contacted_at"], at, 180) and c["is_proactive"]]
        found["silent_180_rate_num"], found["silent_180_rate_den"] = int(not heard), 1
    if datetime.combine(day + timedelta(days=10), datetime.min.time()) <= as_of + CHINA:
        days = {(local_date(c["contacted_at"]) - day).days for c in contacts}
        found["day7_visit_rate_num"] = int(bool(days & {5, 6, 7, 8, 9}))
        found["day7_visit_rate_den"] = 1
    for months in (36, 60):
        end = months_later(at, months)
        if end <= as_of:
            found[f"repurchase_rate_{months}m_num"] = int(_buys_again(owners, delivery, end))
            found[f"repurchase_rate_{months}m_den"] = 1
    if delivery["buyer"] is not None and months_later(at, 12) <= as_of:
        found["referral_rate_12m_num"] = int(_refers(owners, delivery, months_later(at, 12)))
        found["referral_rate_12m_den"] = 1
    if months_later(at, 12) <= as_of and not delivery["is_returned"]:
        found["service_active_num"] = int(_is_serviced(owners, delivery))
        found["service_active_den"] = 1
    return found


def _is_about(contact: Row, delivery: Row) -> bool:
    if contact["vin"] is not None:
        return bool(contact["vin"] == delivery["vin"])
    return contact["person"] is not None and contact["person"] == delivery["buyer"]


def _buys_again(owners: Owners, delivery: Row, end: datetime) -> bool:
    return any(
        other["buyer"] == delivery["buyer"]
        and other["buyer"] is not None
        and other["vin"] != delivery["vin"]
        and not other["is_returned"]
        and delivery["delivered_at"] < other["delivered_at"] < end
        for other in owners.deliveries
    )


def _refers(owners: Owners, delivery: Row, end: datetime) -> bool:
    return any(
        referral["member"] == delivery["buyer"]
        and referral["is_valid"]
        and delivery["delivered_at"] <= referral["ordered_at"] < end
        for referral in owners.referrals
    )


def _is_serviced(owners: Owners, delivery: Row) -> bool:
    visits = [
        visit
        for visit in owners.service_orders
        if visit["vin"] == delivery["vin"]
        and delivery["delivered_at"] <= visit["arrived_at"] < owners.as_of
    ]
    recent = [v for v in visits if months_later(v["arrived_at"], 12) > owners.as_of]
    if any(visit["service_kind"] == "保养" for visit in recent):
        return True
    read = _furthest(visits)
    kept = _furthest([v for v in visits if v["service_kind"] == "保养"]) or 0
    return bool(recent) and read is not None and read - kept < 10_000


def _furthest(visits: Sequence[Row]) -> float | None:
    return max((v["mileage"] for v in visits if v["mileage"] is not None), default=None)


def months_later(moment: datetime, months: int) -> datetime:
    """The same local day and time so many months later, or the last day of that month."""
    local = moment + CHINA
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    for day in (local.day, 30, 29, 28):
        try:
            return local.replace(year=year, month=month + 1, day=day) - CHINA
        except ValueError:
            continue
    raise AssertionError(moment)
