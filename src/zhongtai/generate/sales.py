"""Orders and vehicles: sales of the days, the history before them, and used cars changing hands."""

from dataclasses import dataclass, fields, replace

import numpy as np

from zhongtai.generate.cars import list_prices
from zhongtai.generate.draws import MISSING, Array, Generator, draw_from, later
from zhongtai.generate.journeys import Leads
from zhongtai.generate.names import SERIES, TRIMS
from zhongtai.generate.people import Companies, People
from zhongtai.generate.places import Dealers, Staff
from zhongtai.generate.timeline import DAY, Timeline, at_hours

NEW_OWNER_BY_ORDER, NEW_OWNER_BY_BINDING = 1, 2


@dataclass(frozen=True)
class Orders:
    """Car orders; of a person or of a company. Money in yuan, `vehicle` -1 before the lock."""

    person: Array
    company: Array
    lead: Array
    dealer: Array
    adviser: Array
    series: Array
    trim: Array
    small: Array
    large: Array
    locked: Array
    cancelled: Array
    blue: Array
    red: Array
    delivered: Array
    price: Array
    profit: Array
    loan: Array
    member: Array
    vehicle: Array

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Vehicles:
    """Cars: sold ones first (in order of their orders), then the stock."""

    series: Array
    trim: Array
    dealer: Array
    built: Array  # UTC seconds
    sold: Array

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Ownership:
    """Periods in which a person or a company owned a vehicle; `until` is MISSING while it does."""

    person: Array
    company: Array
    vehicle: Array
    dealer: Array
    since: Array
    until: Array
    order: Array  # index of the order it came by, -1 by private sale


def draw_orders(  # noqa: PLR0913, PLR0917 - the parts of a world that buy
    seed: int,
    timeline: Timeline,
    leads: Leads,
    people: People,
    companies: Companies,
    employees: Array,
) -> Orders:
    """Return history, orders from leads and company orders, sorted by small order.

    `employees` are persons who have surely bought a car before.
    """
    rng = draw_from(seed, "orders")
    parts = [_history(rng, timeline, people, employees), _from_leads(rng, leads)]
    parts.append(_of_companies(rng, timeline, companies))
    merged = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Orders)
    }
    orders = Orders(**merged)
    order = np.argsort(orders.small, kind="stable")
    order = order[orders.small[order] < timeline.end]
    orders = Orders(**{name: values[order] for name, values in merged.items()})
    locked = (orders.locked != MISSING) & (orders.locked < timeline.end)
    return replace(orders, vehicle=np.where(locked, np.cumsum(locked) - 1, -1))


def place_advisers(orders: Orders, leads: Leads, staff: Staff, draws: Array) -> Orders:
    """Return the orders with the lead's adviser, or one of the dealer where there is no lead."""
    own = np.where(orders.lead >= 0, leads.adviser[orders.lead], 0)
    other = staff.adviser_of(orders.dealer, draws)
    return replace(orders, adviser=np.where(orders.lead >= 0, own, other))


def build_vehicles(seed: int, timeline: Timeline, orders: Orders, dealers: Dealers) -> Vehicles:
    """Return the vehicles of the orders and a stock of four cars per dealer."""
    rng = draw_from(seed, "vehicles")
    sold = np.flatnonzero(orders.vehicle >= 0)
    stock = np.repeat(np.arange(len(dealers)), 4)
    count = len(stock)
    arrival = timeline.begin - rng.integers(30, 200, count) * DAY
    return Vehicles(
        series=np.r_[orders.series[sold], rng.integers(0, len(SERIES), count)],
        trim=np.r_[orders.trim[sold], rng.integers(0, len(TRIMS), count)],
        dealer=np.r_[orders.dealer[sold], stock],
        built=np.r_[orders.small[sold] - rng.integers(5, 60, len(sold)) * DAY, arrival],
        sold=np.r_[orders.delivered[sold], np.full(count, MISSING)],
    )


def draw_ownership(seed: int, timeline: Timeline, orders: Orders, people: int) -> Ownership:
    """Return who owned which car when; one in twenty old cars was sold on to another person."""
    rng = draw_from(seed, "ownership")
    index = np.flatnonzero((orders.delivered != MISSING) & (orders.delivered < timeline.end))
    since = orders.delivered[index]
    until = np.full(len(index), MISSING)
    old = np.flatnonzero((since < timeline.begin - 200 * DAY) & (orders.person[index] >= 0))
    sells = old[rng.permutation(len(old))[: max(2, len(old) // 20)]]
    handover = timeline.begin + rng.integers(DAY, max(timeline.days - 2, 2) * DAY, len(sells))
    handover = at_hours(handover, 9, 18, rng.random(len(sells)))
    until[sells] = handover
    buyer = (orders.person[index][sells] + 1 + rng.integers(0, people - 1, len(sells))) % people
    return Ownership(
        person=np.r_[orders.person[index], buyer],
        company=np.r_[orders.company[index], np.full(len(sells), -1)],
        vehicle=np.r_[orders.vehicle[index], orders.vehicle[index][sells]],
        dealer=np.r_[orders.dealer[index], orders.dealer[index][sells]],
        since=np.r_[since, handover],
        until=np.r_[until, np.full(len(sells), MISSING)],
        order=np.r_[index, np.full(len(sells), -1)],
    )


def _build(rng: Generator, columns: dict[str, Array]) -> Orders:
    count = len(columns["person"])
    nothing = np.full(count, -1)
    price = list_prices(columns["series"], columns["trim"]) - rng.integers(0, 100, count) * 100
    given = {"company": nothing, "lead": nothing, "member": nothing, "person": nothing}
    profit = (price * rng.uniform(0.02, 0.09, count)).astype(np.int64)
    rest = {
        "adviser": np.zeros(count, np.int64), "price": price, "profit": profit,
        "loan": rng.random(count) < 0.45, "vehicle": nothing,
    }  # fmt: skip
    return Orders(**(given | rest | columns))


def _history(rng: Generator, timeline: Timeline, people: People, employees: Array) -> Orders:
    owns = rng.random(len(people)) < 0.22
    owns[employees] = True
    owner = np.flatnonzero(owns)
    again = owner[rng.random(len(owner)) < 0.06]
    first = timeline.begin - rng.integers(20, 1_500, len(owner)) * DAY
    second = timeline.begin - rng.integers(20, 300, len(again)) * DAY
    first[np.isin(owner, again)] = timeline.begin - rng.integers(1_420, 1_800, len(again)) * DAY
    person = np.r_[owner, again]
    small = np.r_[first, second] + rng.integers(9 * 3600, 20 * 3600, len(person))
    large = later(small, rng.integers(3600, 3 * DAY, len(person)))
    locked = later(large, rng.integers(3600, 2 * DAY, len(person)))
    delivered = at_hours(
        later(locked, rng.integers(3, 9, len(person)) * DAY), 9, 18, rng.random(len(person))
    )
    returned = rng.random(len(person)) < 0.01
    # Some have moved since, or bought where it was cheaper.
    home, elsewhere = people.dealer[person], rng.permutation(people.dealer[person])
    columns = {
        "person": person, "dealer": np.where(rng.random(len(person)) < 0.1, elsewhere, home),
        "series": rng.integers(0, len(SERIES), len(person)),
        "trim": rng.integers(0, len(TRIMS), len(person)),
        "small": small, "large": large, "locked": locked, "delivered": delivered,
        "cancelled": np.full(len(person), MISSING), "blue": later(delivered, -3600),
        "red": later(delivered, 12 * DAY, returned),
    }  # fmt: skip
    return _build(rng, columns)


def _from_leads(rng: Generator, leads: Leads) -> Orders:
    lead = np.flatnonzero(leads.small != MISSING)
    count = len(lead)
    small, large = leads.small[lead], leads.large[lead]
    locked = later(large, rng.integers(1_800, 2 * DAY, count), rng.random(count) < 0.9)
    delivered = later(locked, rng.integers(2, 9, count) * DAY, rng.random(count) < 0.9)
    delivered = at_hours(delivered, 9, 18, rng.random(count))
    cancels = (locked == MISSING) & (rng.random(count) < 0.6)
    base = np.where(large != MISSING, large, small)
    returned = rng.random(count) < 0.02
    columns = {
        "person": leads.person[lead], "lead": lead, "dealer": leads.dealer[lead],
        "series": leads.series[lead], "trim": leads.trim[lead],
        "small": small, "large": large, "locked": locked, "delivered": delivered,
        "cancelled": later(base, rng.integers(3600, 5 * DAY, count), cancels),
        "blue": later(delivered, -3600), "red": later(delivered, 3 * DAY, returned),
        "member": leads.referral[lead],
    }  # fmt: skip
    return _build(rng, columns)


def _of_companies(rng: Generator, timeline: Timeline, companies: Companies) -> Orders:
    company = np.repeat(np.arange(len(companies)), rng.integers(1, 4, len(companies)))
    count = len(company)
    small = timeline.begin - rng.integers(-timeline.days // 2, 300, count) * DAY + 11 * 3600
    locked = later(small, DAY)
    delivered = later(locked, 6 * DAY)
    missing = np.full(count, MISSING)
    columns = {
        "person": np.full(count, -1), "company": company, "dealer": companies.dealer[company],
        "series": rng.integers(0, len(SERIES), count), "trim": np.zeros(count, np.int64),
        "small": small, "large": later(small, 7_200), "locked": locked, "delivered": delivered,
        "cancelled": missing, "blue": later(delivered, -3600), "red": missing,
    }  # fmt: skip
    return _build(rng, columns)
