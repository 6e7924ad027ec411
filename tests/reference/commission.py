"""The commission ladder, event by event, as sections 7 and the published page word it."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction

from reference.exports import local_date
from reference.money import (
    MoneyExports,
    Row,
    counted_referral,
    first_of_month,
    in_time,
    later_by_months,
    taken_back,
)
from reference.working_time import CHINA

Ended = tuple[datetime, str] | None


@dataclass(frozen=True)
class Earned:
    """Something an adviser earned, until it ended."""

    component: str
    event: str
    adviser: str | None
    base: int | None
    at: datetime
    ended: Ended
    because: str = ""
    # whose first car it is that was bought again
    first_buyer: str | None = None


@dataclass(frozen=True)
class Entry:
    component: str
    event: str
    adviser: str
    fen: int
    at: datetime
    reverses: bool
    because: str


def rounded(amount: Fraction) -> int:
    """To whole fen, halves away from zero."""
    whole = int(abs(amount) + Fraction(1, 2))
    return whole if amount >= 0 else -whole


def rate_on(exports: MoneyExports, component: str, day: date) -> Row | None:
    for rate in exports.rates:
        ends = rate["valid_to"] or date.max
        if rate["component"] == component and rate["valid_from"] <= day < ends:
            return rate
    return None


def of_cars(exports: MoneyExports) -> Iterator[Earned]:
    """First deals and repurchases of every buyer."""
    for buyer in {exports.buyer(order) for order in exports.orders}:
        cars = exports.cars(buyer)
        for number, (at, order) in enumerate(cars):
            if order["blue_invoiced_at"] is None:
                continue
            ended, profit = taken_back(order, at), order["unit_profit_fen"]
            first = bought_before(exports, buyer, at, is_own=number > 0)
            original = adviser(exports, first) if first is not None else None
            if first is not None:
                what = ("repurchase", order["order_no"], original, profit, at, ended)
                yield Earned(*what, first_buyer=exports.buyer(first))
            seller = adviser(exports, order)
            if number == 0 and (original is None or original != seller):
                yield Earned("first_deal", order["order_no"], seller, profit, at, ended)


def bought_before(exports: MoneyExports, buyer: str, at: datetime, *, is_own: bool) -> Row | None:
    """The first car that a car delivered then repeats: the buyer's, else of the household."""
    rate = rate_on(exports, "repurchase", local_date(at))
    if rate is None:
        return None
    firsts = [exports.cars(buyer)[0]] if is_own else []
    if rate["counts_household"]:
        others = [exports.cars(other) for other in exports.household(buyer)]
        firsts += sorted((own[0] for own in others if own), key=lambda c: (c[0], c[1]["order_no"]))
    aged = [car for since, car in firsts if at >= later_by_months(since, rate["min_months"])]
    return aged[0] if aged else None


def adviser(exports: MoneyExports, order: Row) -> str | None:
    handed = [d["staff_id"] for d in exports.deliveries if d["order_no"] == order["order_no"]]
    return order["staff_id"] or min((s for s in handed if s is not None), default=None)


def of_referrals(exports: MoneyExports) -> Iterator[Earned]:
    for order in exports.orders:
        at, referral = exports.delivery(order["order_no"]), counted_referral(exports, order)
        if at is None or order["blue_invoiced_at"] is None or referral is None:
            continue
        member = ("partner", "members", referral["member_code"])
        own = exports.cars(exports.one_id[member]) if member in exports.one_id else []
        if not own or not in_time(referral, order):
            continue
        original = adviser(exports, own[0][1])
        rate = rate_on(exports, "referral", local_date(at))
        if rate is None:
            continue
        if original == adviser(exports, order) and not rate["pays_beside_first_deal"]:
            continue
        ends = [taken_back(order, at)]
        if referral["status"] != "有效":
            if referral["updated_at"] <= at:
                continue
            ends.append((referral["updated_at"], "cancellation"))
        ended = min((e for e in ends if e is not None), key=lambda e: e[0], default=None)
        yield Earned("referral", order["order_no"], original, order["unit_profit_fen"], at, ended)


def of_sales(exports: MoneyExports) -> Iterator[Earned]:
    for sale in exports.addon_sales:
        if sale["product_type"] in {"软件订阅", "服务包"} and sale["paid_at"] is not None:
            back = sale["refunded_at"]
            ended = (max(back, sale["paid_at"]), "refund") if back is not None else None
            fee = sale["amount_fen"]
            yield Earned(
                "value_added", sale["sale_id"], sale["staff_id"], fee, sale["paid_at"], ended
            )


def held(exports: MoneyExports, earned: Earned) -> Iterator[Earned]:
    """Who had it when: the adviser, and after a reassignment another one."""
    key = (earned.component, earned.event)
    for moved in exports.reassignments:
        if (moved["component"], moved["event_key"]) != key:
            continue
        at = datetime.combine(moved["reassigned_on"], datetime.min.time()) - CHINA
        is_late = earned.ended is not None and at >= earned.ended[0]
        if is_late or moved["to_staff_id"] == earned.adviser:
            continue
        if at > earned.at:
            yield replace(earned, ended=(at, "reassignment"))
        begin = max(at, earned.at)
        yield replace(earned, adviser=moved["to_staff_id"], at=begin, because="reassignment")
        return
    yield earned


def entries(exports: MoneyExports) -> Iterator[Entry]:
    """The ledger."""
    for make in (of_cars, of_referrals, of_sales):
        for earned in make(exports):
            rate = rate_on(exports, earned.component, local_date(earned.at))
            if earned.base is None or earned.adviser is None or rate is None:
                continue
            share = Fraction(rate["rate_numerator"], rate["rate_denominator"])
            fen = rounded(earned.base * share)
            for part in held(exports, earned):
                who = str(part.adviser)
                what = (part.component, part.event, who)
                yield Entry(*what, fen, part.at, False, part.because)
                if part.ended is not None:
                    yield Entry(*what, -fen, part.ended[0], True, part.ended[1])


def commission(exports: MoneyExports) -> dict[Hashable, Counter[str]]:
    """Amounts and counts of metrics_commission_monthly by (month, adviser, component)."""
    found: dict[Hashable, Counter[str]] = {}
    ledger = list(entries(exports))
    back = {(e.component, e.event, e.adviser) for e in ledger if e.reverses}
    for entry in ledger:
        key = (first_of_month(entry.at), entry.adviser, entry.component)
        counts = found.setdefault(key, Counter())
        is_reversed = (entry.component, entry.event, entry.adviser) in back
        counts["net_fen"] += entry.fen
        if entry.reverses:
            counts["reversed_fen"] -= entry.fen
            counts["reversals"] += 1
            counts["reassignment_count"] += entry.because == "reassignment"
        else:
            counts["accrued_fen"] += entry.fen
            counts["accruals"] += 1
            counts["clawback_rate_den"] += 1
            counts["clawback_rate_num"] += is_reversed
    return found
