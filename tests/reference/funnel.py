"""The lead funnel, lead by lead."""

from collections import Counter
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any

from reference.exports import Exports, Row, count, in_window, local_date, ratio
from reference.small_orders import cut_off

Lead = dict[str, Any]
_CRM_ONLY = """channel_3 channel_4 tier dispatched_at first_contacted_at visited_at test_driven_at
    small_ordered_at large_ordered_at is_connected call_seconds lost_reason""".split()  # noqa: SIM905


def _first(moments: list[datetime | None]) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)


def collect_leads(exports: Exports) -> list[Lead]:
    """CRM leads and ADF prospects in one shape, with everything the funnel asks."""
    leads: list[Lead] = [
        {**row, "entity": "leads", "is_test": bool(row["is_test"])} for row in exports.leads
    ]
    leads += [
        {
            **dict.fromkeys(_CRM_ONLY),
            "entity": "adf_leads",
            "record_key": row["record_key"],
            "lead_id": f"adf|{row['record_key']}",
            "mobile": row["mobile"],
            "channel_1": "第三方",
            "channel_2": row["provider_name"],
            "series_code": row["vehicle_model"],
            "dealer_code": row["dealer_code"],
            "created_at": row["requested_at"],
            "status": "有效" if row["mobile"] else "无效",
            "is_test": False,
        }
        for row in exports.adf_leads
    ]
    for lead in leads:
        lead["one_id"] = exports.one_id.get(("crm", lead["entity"], lead["record_key"]))
    for lead in leads:
        lead.update(_enrich(lead, leads, exports))
    return leads


def _enrich(lead: Lead, leads: list[Lead], exports: Exports) -> Lead:
    staff = {s["mobile"] for s in exports.staff if s["mobile"]}
    earlier = [
        other
        for other in leads
        if lead["mobile"]
        and other["mobile"] == lead["mobile"]
        and not other["is_test"]
        and not lead["is_test"]
        and lead["created_at"] - timedelta(days=30) <= other["created_at"] < lead["created_at"]
    ]
    contacts = [f for f in exports.follow_ups if f["lead_id"] == lead["lead_id"]]
    since = lead["dispatched_at"] or lead["created_at"]
    followed = [f["followed_up_at"] for f in contacts if f["followed_up_at"] >= since]
    contacted = _first([lead["first_contacted_at"], *followed])
    connected = lead["is_connected"]
    if connected is None:
        connected = any(f["is_connected"] for f in contacts)
    seconds = lead["call_seconds"]
    if seconds is None:
        seconds = max((f["call_seconds"] or 0 for f in contacts), default=None)
    tries = max(len(contacts), int(lead["first_contacted_at"] is not None))
    return {
        "is_staff": lead["mobile"] in staff,
        "is_valid": not lead["is_test"] and lead["status"] not in ("无效", "重复"),
        "repeats": bool(earlier),
        "repeats_at_dealer": any(
            lead["dealer_code"] and o["dealer_code"] == lead["dealer_code"] for o in earlier
        ),
        "contacted_at": contacted,
        "connected": bool(connected),
        "seconds": seconds or 0,
        "tries": tries if contacted or contacts else 0,
        **_outcomes(lead, exports),
    }


def _outcomes(lead: Lead, exports: Exports) -> Lead:
    def of(rows: list[Row], entity: str) -> list[Row]:
        owners = {
            r["record_key"]: exports.one_id.get(("dms", entity, r["record_key"])) for r in rows
        }
        return [r for r in rows if lead["one_id"] and owners[r["record_key"]] == lead["one_id"]]

    created = lead["created_at"]
    orders = []
    undated = set()
    for row in of(exports.orders, "orders"):
        times = [row["small_ordered_at"], row["large_ordered_at"], row["locked_at"]]
        first = _first(times)
        if first is None:
            undated.add(row["order_no"])
        if first is None or first < created:
            continue
        cancelled_at = row["cancelled_at"]
        cancelled = row["status"] == "已取消" or (
            cancelled_at is not None and cancelled_at <= exports.as_of
        )
        orders.append((row, cancelled))
    # an order without any time may have been made since the lead
    numbers = {row["order_no"] for row, _ in orders} | undated
    delivered = [
        d["delivered_at"]
        for d in exports.deliveries
        if d["order_no"] in numbers and d["delivered_at"] >= created
    ]
    reserved = [
        r
        for r in of(exports.orders, "orders")
        if r["small_ordered_at"] is not None and r["small_ordered_at"] >= created
    ]
    small = min(reserved, key=lambda r: (r["small_ordered_at"], r["order_no"]), default=None)
    limit = cut_off(small) if small else None
    locked_at = small["locked_at"] if small else None
    found: Lead = {
        "cut_off_at": limit,
        "locked_in_time": limit is not None and locked_at is not None and locked_at < limit,
        "delivered_at": _first(delivered),
        "small": [(r["small_ordered_at"], c) for r, c in orders],
        "large": [(_first([r["large_ordered_at"], r["locked_at"]]), c) for r, c in orders],
    }
    if lead["entity"] == "adf_leads":
        visits = of(exports.store_visits, "store_visits")
        drives = of(exports.test_drives, "test_drives")
        found["visited_at"] = _first(
            [v["arrived_at"] for v in visits if v["arrived_at"] >= created]
        )
        found["test_driven_at"] = _first(
            [d["started_at"] for d in drives if d["started_at"] >= created]
        )
        found["small_ordered_at"] = _first([moment for moment, _ in found["small"]])
        found["large_ordered_at"] = _first([moment for moment, _ in found["large"]])
    return found


def kept_order(lead: Row, kind: str, days: int | None) -> bool:
    """Whether the lead's order (within so many days) stands by what the dms says of it."""
    ordered_at, created = lead[f"{kind}_ordered_at"], lead["created_at"]
    if ordered_at is None or (days is not None and not in_window(ordered_at, created, days)):
        return False
    orders = [
        cancelled
        for moment, cancelled in lead[kind]
        if moment is not None and (days is None or in_window(moment, created, days))
    ]
    return not orders or not all(orders)


def funnel(exports: Exports) -> dict[Hashable, Counter[str]]:
    """All counts of metrics_lead_funnel_daily by (date, channels, series, dealer, region, tier)."""
    keys = ("channel_1", "channel_2", "channel_3", "channel_4", "series_code", "dealer_code")

    def key(lead: Row) -> Hashable:
        texts = [lead[k] or "" for k in keys]
        region = exports.region(lead["dealer_code"])
        return (local_date(lead["created_at"]), *texts, region, lead["tier"] or "")

    return count(collect_leads(exports), key, _measures(exports.as_of))


Test = Callable[[Row], bool]


def _is_created(lead: Row) -> bool:
    return not lead["is_test"]


def _is_called(lead: Row) -> bool:
    return _is_created(lead) and lead["contacted_at"] is not None


def _is_closed(lead: Row) -> bool:
    ended = lead["status"] in ("战败", "失效") or kept_order(lead, "large", None)
    return lead["is_valid"] and ended


def _is_subjectively_lost(lead: Row) -> bool:
    return lead["status"] == "战败" and (lead["lost_reason"] == "流程" or lead["tries"] < 2)


def _is_contacted_on_the_day(lead: Row) -> bool:
    contact = lead["contacted_at"]
    return contact is not None and local_date(contact) <= local_date(lead["dispatched_at"])


def _counts() -> dict[str, Test]:
    return {
        "leads_created": _is_created,
        "leads_test": lambda lead: lead["is_test"],
        "leads_staff": lambda lead: _is_created(lead) and lead["is_staff"],
        "leads_valid": lambda lead: lead["is_valid"],
        **ratio("duplicate_rate", lambda lead: lead["repeats"], _is_created),
        **ratio("dup_same_dealer_rate", lambda lead: lead["repeats_at_dealer"], _is_created),
        **ratio("dispatch_rate", lambda x: x["dispatched_at"] is not None, lambda x: x["is_valid"]),
        **ratio("connect_rate", lambda lead: lead["connected"], _is_called),
        **ratio("effective_call_rate", lambda lead: lead["seconds"] >= 45, _is_called),
        **ratio("lost_rate", lambda lead: lead["status"] == "战败", _is_closed),
        **ratio("subjective_lost_rate", _is_subjectively_lost, _is_closed),
    }


def _measures(as_of: datetime) -> dict[str, Test]:
    def mature(days: int) -> Test:
        window = timedelta(days=days)
        return lambda lead: lead["is_valid"] and lead["created_at"] + window <= as_of

    def dispatched(lead: Row) -> bool:
        sent = lead["dispatched_at"]
        return _is_created(lead) and sent is not None and local_date(sent) < local_date(as_of)

    measures = _counts() | ratio("same_day_contact_rate", _is_contacted_on_the_day, dispatched)
    measures |= {f"{lag_name(stage)}_count": _has_lag(stage) for stage in STAGES}
    measures |= ratio(
        "small_order_lock_rate",
        lambda lead: lead["locked_in_time"],
        lambda lead: (
            lead["is_valid"] and lead["cut_off_at"] is not None and lead["cut_off_at"] <= as_of
        ),
    )
    measures |= _within("dispatch_rate_24h", "dispatched_at", 1, mature)
    for days in (7, 14, 30):
        measures |= _within(f"visit_rate_{days}d", "visited_at", days, mature)
    for days in (7, 14, 21, 30):
        measures |= _within(f"test_drive_rate_{days}d", "test_driven_at", days, mature)
    for days in (90, 180):
        measures |= _within(f"delivery_rate_{days}d", "delivered_at", days, mature)
    for days in (30, 60, 90):
        for name, kind in (("order_rate", "large"), ("small_order_rate", "small")):
            measures |= _kept(f"{name}_{days}d", kind, days, mature)
    return measures


STAGES: dict[str, tuple[str, str]] = {
    "dispatch": ("created_at", "dispatched_at"),
    "contact": ("dispatched_at", "contacted_at"),
    "visit": ("contacted_at", "visited_at"),
    "test_drive": ("visited_at", "test_driven_at"),
    "order": ("test_driven_at", "large_ordered_at"),
    "delivery": ("large_ordered_at", "delivered_at"),
    "": ("created_at", "delivered_at"),
}


def lag_name(stage: str) -> str:
    return f"stage_lag_{stage}" if stage else "stage_lag"


def stage_lag(lead: Row, stage: str) -> float | None:
    """Minutes from one stage to the next of a valid lead; None where time would run backward.

    Without a stage from creation to delivery.
    """
    before, after = (lead[column] for column in STAGES[stage])
    if not lead["is_valid"] or before is None or after is None or after < before:
        return None
    return float((after - before).total_seconds() / 60)


def _has_lag(stage: str) -> Test:
    return lambda lead: stage_lag(lead, stage) is not None


def _within(name: str, column: str, days: int, mature: Callable[[int], Test]) -> dict[str, Test]:
    return ratio(name, lambda x: in_window(x[column], x["created_at"], days), mature(days))


def _kept(name: str, kind: str, days: int, mature: Callable[[int], Test]) -> dict[str, Test]:
    return ratio(name, lambda lead: kept_order(lead, kind, days), mature(days))
