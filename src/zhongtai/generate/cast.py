"""Who of the world shares what with whom: the parts that make telling persons apart hard."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array, Generator, draw_from, rows_of
from zhongtai.generate.households import Households
from zhongtai.generate.hubs import SERVED, Hubs, customers_near
from zhongtai.generate.journeys import Leads
from zhongtai.generate.names import COMMON_NAMES
from zhongtai.generate.people import Companies, People
from zhongtai.generate.places import Staff
from zhongtai.generate.recycled import Numbers

COMMON, NAMESAKES = 0.03, 0.01  # of the persons: a common name; one that a neighbour has too
PER_EMPLOYEE = 8  # customers who stand under the number of one employee


@dataclass(frozen=True)
class Groups:
    """Who belongs together, or seems to; `namesakes` are pairs of one name at one dealer."""

    households: Households
    hubs: Hubs
    numbers: Numbers
    namesakes: Array


@dataclass(frozen=True)
class Cast(Groups):
    """`typed_mobile` and `typed_email`: what forms show for a person instead of its own values.

    `typed_kind` says whose the number is: household, hub, staff, or empty.
    """

    typed_mobile: pa.Array
    typed_email: pa.Array
    typed_kind: Array

    @property
    def involved(self) -> Array:
        """Persons with a number, an address or a device that somebody else has too."""
        shared = (self.typed_kind != "") | self.typed_email.is_valid().to_numpy(False)
        others = np.r_[self.numbers.involved, self.households.person]
        return np.unique(np.r_[np.flatnonzero(shared), others])


def name_alike(seed: int, people: People, kin: Array) -> tuple[People, Array]:
    """Return the persons, some with very common names, and pairs of namesakes at one dealer.

    `kin` are persons who keep their names, for the sake of their family.
    """
    rng = draw_from(seed, "common names")
    count = len(people)
    common = np.full(count, -1)
    drawn = rng.permutation(np.setdiff1d(np.arange(count), kin))
    often = drawn[: int(count * COMMON)]
    common[often] = rng.integers(0, len(COMMON_NAMES), len(often))
    rest = drawn[len(often) :]
    rest = rest[np.argsort(people.dealer[rest], kind="stable")]
    same = np.flatnonzero(people.dealer[rest[1:]] == people.dealer[rest[:-1]])
    first = np.sort(rng.permutation(same)[: max(2, int(count * NAMESAKES))])
    first = first[np.r_[True, np.diff(first) > 1]]
    pairs = np.stack([rest[first], rest[first + 1]], axis=1)
    common[pairs] = rng.integers(0, len(COMMON_NAMES), len(pairs))[:, None]
    named = pc.coalesce(rows_of(pa.array(COMMON_NAMES), common), people.name)
    return replace(people, name=named), pairs


def join_companies(seed: int, people: People, companies: Companies, barred: Array) -> Companies:
    """Return the companies: a third is called through a private customer, all have a driver."""
    rng = draw_from(seed, "company people")
    free = rng.permutation(np.setdiff1d(np.arange(len(people)), barred))
    count = len(companies)
    contact = np.where(np.arange(count) % 3 == 0, np.resize(free, count), -1)
    driver = np.resize(free[count:], count)
    mobile = pc.coalesce(rows_of(people.mobile, contact), companies.mobile)
    return replace(companies, mobile=mobile, contact=contact, driver=driver)


def gather_cast(  # noqa: PLR0913, PLR0917 - the parts of a world that meet
    seed: int,
    people: People,
    groups: Groups,
    employed: tuple[Staff, pa.Array],
    leads: Leads,
    barred: Array,
) -> Cast:
    """Return the whole cast; `employed` are the staff and their mobiles.

    `barred` are persons for whom nobody else's number is written.
    """
    (staff, staff_mobile), households, hubs = employed, groups.households, groups.hubs
    rng = draw_from(seed, "typed numbers")
    count = len(people)
    head = households.head_of(count, households.shares_phone)
    taken = (head >= 0) | np.isin(np.arange(count), np.r_[households.person, barred])
    known = np.zeros(count, dtype=bool)
    known[leads.person[leads.person >= 0]] = True
    size = hubs.size(count)
    store = customers_near(rng, people, np.flatnonzero(known & ~taken), hubs.store_dealer, size)
    taken |= store >= 0
    adviser = _customers_of(rng, leads, hubs.advisers, taken, min(size, SERVED))
    taken |= adviser >= 0
    employees = staff.advisers[staff.person[staff.advisers] >= 0]
    employee = _customers_of(rng, leads, employees[::2], taken, PER_EMPLOYEE)
    typed = pc.coalesce(
        rows_of(people.mobile, head),
        rows_of(hubs.store_phone, store),
        rows_of(staff_mobile, np.maximum(adviser, employee)),
    )
    hub = (store >= 0) | (adviser >= 0)
    kind = np.select([head >= 0, hub, employee >= 0], ["household", "hub", "staff"], "")
    mail = customers_near(rng, people, np.flatnonzero(known), hubs.mail_dealer, size)
    return Cast(
        households=households,
        hubs=hubs,
        numbers=groups.numbers,
        namesakes=groups.namesakes,
        typed_mobile=typed,
        typed_email=rows_of(hubs.email, mail),
        typed_kind=kind,
    )


def _customers_of(rng: Generator, leads: Leads, advisers: Array, taken: Array, size: int) -> Array:
    """Return per person which of the advisers serves it under an employee's number, -1 for none."""
    found = np.full(len(taken), -1)
    for adviser in advisers:
        served = np.unique(leads.person[(leads.adviser == adviser) & (leads.person >= 0)])
        free = served[~taken[served] & (found[served] < 0)]
        found[rng.permutation(free)[:size]] = adviser
    return found
