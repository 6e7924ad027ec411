"""Lifetime value, customer by customer, as section 9 and decision 0022 word it."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from reference.commission import Earned, adviser, entries, of_cars, of_referrals, of_sales
from reference.exports import local_date
from reference.money import MoneyExports, first_of_month, later_by_months, taken_back
from reference.referral import valid_orders

Amount = tuple[str, datetime, int]


@dataclass
class Customer:
    """A buyer with what was brought since the first delivery, by age in calendar months."""

    key: str
    first: datetime
    cohort: tuple[object, str]
    has_adviser: bool
    amounts: list[Amount]

    def __post_init__(self) -> None:
        self.by_age: Counter[int] = Counter()
        for stream, at, fen in self.amounts:
            if stream != "commission":
                self.by_age[self.age(at)] += fen

    def age(self, moment: datetime) -> int:
        begin, at = local_date(self.first), local_date(moment)
        return (at.year - begin.year) * 12 + at.month - begin.month

    def within(self, stream: str | None, months: int) -> int:
        end = later_by_months(self.first, months)
        return sum(f for s, at, f in self.amounts if at < end and is_of(s, stream))


def is_of(stream: str, wanted: str | None) -> bool:
    return stream == wanted if wanted is not None else stream != "commission"


def of_customer(exports: MoneyExports, buyer: str) -> Iterator[Amount]:
    """All that a buyer brought, of any time."""
    for at, order in exports.cars(buyer):
        profit, back = order["unit_profit_fen"] or 0, taken_back(order, at)
        yield "car", at, profit
        if back is not None:
            yield "car", back[0], -profit
    for visit in exports.service_orders:
        at = visit["arrived_at"]
        for begin, end in periods(exports, buyer, visit["vin"]):
            if begin <= at and (end is None or at < end):
                yield "service", at, visit["amount_fen"]
    yield from of_add_ons(exports, buyer)
    for order, referral in valid_orders(exports):
        member = exports.one_id.get(("partner", "members", referral["member_code"]))
        delivered = exports.delivery(order["order_no"])
        if member == buyer and delivered is not None and taken_back(order, delivered) is None:
            yield "referral", delivered, order["unit_profit_fen"] or 0


def of_add_ons(exports: MoneyExports, buyer: str) -> Iterator[Amount]:
    for sale in exports.addon_sales:
        who = exports.one_id.get(("dms", "addon_sales", sale["sale_id"]))
        if who == buyer and sale["paid_at"] is not None:
            fee = sale["amount_fen"] or 0
            yield "subscription", sale["paid_at"], fee
            if sale["refunded_at"] is not None:
                yield "subscription", max(sale["refunded_at"], sale["paid_at"]), -fee


def periods(
    exports: MoneyExports, buyer: str, vin: str
) -> Iterator[tuple[datetime, datetime | None]]:
    """When a buyer had a car."""
    held = [o for o in exports.ownerships if o["vin"] == vin]
    for period in held:
        if period["one_id"] == buyer:
            yield period["valid_from"], period["valid_to"]
    if buyer in exports.organisation.values():
        for at, order in exports.cars(buyer):
            if order["vin"] == vin:
                back = taken_back(order, at)
                sold = (exports.delivery(o["order_no"]) for o in exports.orders if o["vin"] == vin)
                ends = [*(o["valid_from"] for o in held), *sold]
                later = [end for end in ends if end is not None and end > at]
                yield at, min([*later, *([back[0]] if back else [])], default=None)


def whose(exports: MoneyExports) -> dict[tuple[str, str], str | None]:
    """From which customer each commission is earned."""
    found: dict[tuple[str, str], str | None] = {}
    for earned in (*of_cars(exports), *of_referrals(exports), *of_sales(exports)):
        found[earned.component, earned.event] = customer_of(exports, earned)
    return found


def customer_of(exports: MoneyExports, earned: Earned) -> str | None:
    if earned.component == "value_added":
        return exports.one_id.get(("dms", "addon_sales", earned.event))
    order = exports.order(earned.event)
    assert order is not None
    if earned.component == "referral":
        codes = [r["member_code"] for o, r in exports.referred() if o is order]
        return exports.one_id.get(("partner", "members", codes[0]))
    return earned.first_buyer or exports.buyer(order)


def customers(exports: MoneyExports) -> list[Customer]:
    """Every buyer of a delivered car."""
    payers, ledger = whose(exports), list(entries(exports))
    found = []
    for buyer in {exports.buyer(order) for order in exports.orders}:
        cars = exports.cars(buyer)
        if not cars:
            continue
        first, order = cars[0]
        income = [
            ("commission", entry.at, entry.fen)
            for entry in ledger
            if payers[entry.component, entry.event] == buyer
        ]
        all_amounts = [*of_customer(exports, buyer), *income]
        since = [amount for amount in all_amounts if amount[1] >= first]
        cohort = first_of_month(first), exports.region(order["dealer_code"])
        known = exports.is_active(adviser(exports, order))
        found.append(Customer(buyer, first, cohort, known, since))
    return found


def ltv(exports: MoneyExports, everybody: list[Customer]) -> dict[Hashable, Counter[str]]:
    """Whole numbers of metrics_ltv_monthly by (month, region), predictions apart."""
    found: dict[Hashable, Counter[str]] = {}
    for customer in everybody:
        counts = found.setdefault(customer.cohort, Counter())
        counts["owners"] += 1
        counts["orphan_customers"] += not customer.has_adviser
        for stream, _at, fen in customer.amounts:
            if stream != "commission":
                counts[f"margin_{stream}_fen"] += fen
                counts["ltv_realised_fen"] += fen
        for months in (36, 60):
            if later_by_months(customer.first, months) <= exports.as_of:
                counts[f"owners_{months}m"] += 1
                counts[f"ltv_realised_{months}m_fen"] += customer.within(None, months)
                counts[f"ltv_income_{months}m_fen"] += customer.within("commission", months)
    return found


def expected(
    everybody: list[Customer], now: datetime, ages: range, shift: int
) -> tuple[float, float, int]:
    """Sums of means and variances at these ages, and how many of them anybody had reached."""
    mean, variance, known = 0.0, 0.0, 0
    aged = [(customer, customer.age(now)) for customer in everybody]
    for age in ages:
        seen = [c.by_age[age] for c, old in aged if old - shift > age]
        if seen:
            average = sum(seen) / len(seen)
            mean += average
            variance += sum(n * n for n in seen) / len(seen) - average**2
            known += 1
    return mean, variance, known


def predictions(
    exports: MoneyExports, everybody: list[Customer]
) -> dict[Hashable, tuple[tuple[int, int, int] | None, tuple[int, int]]]:
    """Per cohort: value after 36 months with its interval, and the back-test."""
    found: dict[Hashable, tuple[tuple[int, int, int] | None, tuple[int, int]]] = {}
    for cohort in {customer.cohort for customer in everybody}:
        own = [customer for customer in everybody if customer.cohort == cohort]
        age, now = own[0].age(exports.as_of), exports.as_of

        def total(ages: range, own: list[Customer] = own) -> int:
            return sum(customer.by_age[a] for customer in own for a in ages)

        coming = range(min(max(age, 0), 36), 36)
        mean, variance, known = expected(everybody, now, coming, 0)
        centre = round(total(range(min(age, 36))) + len(own) * mean)
        half = round(1.2816 * sqrt(max(len(own) * variance, 0)))
        is_known = known == len(coming)
        test = (0, 0)
        year = range(age - 12, min(age, 36))
        if 12 <= age < 48:
            mean, variance, known = expected(everybody, now, year, 12)
            if known == len(year):
                miss = abs(total(year) - len(own) * mean)
                test = int(miss <= 1.2816 * sqrt(max(len(own) * variance, 0))), 1
        found[cohort] = ((centre, centre - half, centre + half) if is_known else None, test)
    return found
