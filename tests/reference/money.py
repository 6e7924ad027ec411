"""The staged rows that commissions, rewards and lifetime value are worked out from."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from reference.exports import Exports, local_date
from reference.working_time import CHINA

Row = Mapping[str, Any]


@dataclass
class MoneyExports(Exports):
    """Exports with the partner programme, add-on sales, service orders and what the seeds say."""

    members: list[Row] = field(default_factory=list)
    referrals: list[Row] = field(default_factory=list)
    rewards: list[Row] = field(default_factory=list)
    addon_sales: list[Row] = field(default_factory=list)
    service_orders: list[Row] = field(default_factory=list)
    ownerships: list[Row] = field(default_factory=list)
    mini_events: list[Row] = field(default_factory=list)
    rates: list[Row] = field(default_factory=list)
    reassignments: list[Row] = field(default_factory=list)
    # pairs of persons, in any order, and what they are to each other
    relationships: list[tuple[str, str, str]] = field(default_factory=list)
    # (source, entity, record_key) of records of companies
    organisation: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def order(self, order_no: str | None) -> Row | None:
        found = [o for o in self.orders if order_no is not None and o["order_no"] == order_no]
        return found[0] if found else None

    def delivery(self, order_no: str) -> datetime | None:
        times = [d["delivered_at"] for d in self.deliveries if d["order_no"] == order_no]
        return min((t for t in times if t is not None), default=None)

    def buyer(self, order: Row) -> str:
        record = ("dms", "orders", order["order_no"])
        return self.one_id.get(record) or self.organisation.get(record) or str(record)

    def member(self, code: str | None) -> Row | None:
        found = [m for m in self.members if code is not None and m["member_code"] == code]
        return found[0] if found else None

    def cars(self, buyer: str | None) -> list[tuple[datetime, Row]]:
        """What was delivered to a buyer, the first car first."""
        orders = [o for o in self.orders if self.buyer(o) == buyer]
        cars = [(self.delivery(o["order_no"]), o) for o in orders]
        delivered = [(at, order) for at, order in cars if at is not None]
        return sorted(delivered, key=lambda car: (car[0], car[1]["order_no"]))

    def household(self, buyer: str) -> set[str]:
        """Whom a person shares a household with; a company has none."""
        pairs = [(one, other) for one, other, what in self.relationships if what == "household"]
        own = {other for one, other in pairs if one == buyer}
        return own | {one for one, other in pairs if other == buyer}

    def referred(self) -> list[tuple[Row, Row]]:
        """Orders and the referral that counts for each."""
        found = [(order, counted_referral(self, order)) for order in self.orders]
        return [(order, referral) for order, referral in found if referral is not None]

    def is_active(self, staff_id: str | None) -> bool:
        found = [s for s in self.staff if s["staff_id"] == staff_id]
        left = found[0]["left_on"] if found else date.min
        return left is None or left > local_date(self.as_of)


def first_of_month(moment: datetime) -> date:
    return local_date(moment).replace(day=1)


def later_by_months(moment: datetime, months: int) -> datetime:
    """The same local time so many months later, on the last day of a month that is too short."""
    local = moment + CHINA
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day) - CHINA


def taken_back(order: Row, delivered: datetime) -> tuple[datetime, str] | None:
    """When and why a sale was reversed, never before the delivery."""
    if order["red_invoiced_at"] is not None:
        return max(order["red_invoiced_at"], delivered), "red invoice"
    cancelled = order["cancelled_at"]
    if order["status"] in {"已退车", "已取消"}:
        return max(cancelled or order["updated_at"], delivered), "cancellation"
    if cancelled is not None and cancelled >= delivered:
        return cancelled, "cancellation"
    return None


def is_cancelled(exports: Exports, order: Row) -> bool:
    at = order["cancelled_at"]
    return (at is not None and at <= exports.as_of) or order["status"] in {"已退车", "已取消"}


def in_time(referral: Row, order: Row) -> bool:
    """reserve_time <= order_time <= buy_expire_time, and so the payment."""
    steps = [order[f"{step}_at"] for step in ("small_ordered", "large_ordered", "locked")]
    ordered = min((step for step in steps if step is not None), default=None)
    paid = order["large_ordered_at"] or order["locked_at"] or order["blue_invoiced_at"]
    limits = referral["reserved_at"], referral["buy_expires_at"]
    if None in {ordered, paid, *limits}:
        return False
    return all(limits[0] <= at <= limits[1] for at in (ordered, paid) if at is not None)


def counted_referral(exports: MoneyExports, order: Row) -> Row | None:
    """The one referral that an order counts for."""
    claims = [r for r in exports.referrals if r["order_no"] == order["order_no"]]

    def place(referral: Row) -> tuple[Any, ...]:
        named = order["member_code"] is not None and order["member_code"] == referral["member_code"]
        kept = referral["status"] == "有效"
        rest = (not named, referral["referred_at"], referral["referral_id"])
        return (not in_time(referral, order), not kept, *rest)

    return min(claims, key=place, default=None)
