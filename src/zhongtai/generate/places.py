"""Dealers, and the people who work there and at headquarters."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from zhongtai.generate.draws import MISSING, Array, draw_from, joined, padded, pick
from zhongtai.generate.names import PLACES, STAFF_ROLES
from zhongtai.generate.timeline import DAY, Timeline


@dataclass(frozen=True)
class Dealers:
    """One value per dealer; `place` is an index into `CITIES`."""

    code: pa.Array
    name: pa.Array
    region: pa.Array
    area: pa.Array
    place: Array
    kind: pa.Array
    opened: Array

    def __len__(self) -> int:
        return len(self.code)


@dataclass(frozen=True)
class Staff:
    """One value per employee; `dealer` is -1 at headquarters, `person` -1 if no customer."""

    code: pa.Array
    role: pa.Array
    dealer: Array
    person: Array
    hired: Array
    left: Array
    advisers: Array  # indexes of the advisers, dealer by dealer
    adviser_count: int  # advisers per dealer

    def __len__(self) -> int:
        return len(self.code)

    def adviser_of(self, dealer: Array, draws: Array) -> Array:
        """Return an adviser of each dealer, by draws in [0, 1)."""
        place = dealer * self.adviser_count + (draws * self.adviser_count).astype(int)
        return np.asarray(self.advisers[place])


CITIES = [(region, *place) for region, places in PLACES.items() for place in places]
ADVISERS_PER_DEALER = 4


def build_dealers(seed: int, people: int) -> Dealers:
    """Return the dealers of a world of `people`: at least one in every region."""
    rng = draw_from(seed, "dealers")
    count = max(len(CITIES), people // 600)
    place = np.arange(count) % len(CITIES)
    number = np.arange(count) // len(CITIES) + 1
    region = pick([city[0] for city in CITIES], place)
    town = pick([city[2].removesuffix("市") for city in CITIES], place)
    area = joined(region, pick(["一", "二"], np.arange(count) % 2), "小区")
    kinds = pick(["4S店", "4S店", "交付中心", "商超店"], rng.integers(0, 4, count))
    return Dealers(
        code=joined("D", padded(np.arange(count) + 10_001, 5)),
        name=joined(town, "中泰", padded(number, 2), "店"),
        region=region,
        area=area,
        place=place,
        kind=kinds,
        opened=np.asarray(16_000 + rng.integers(0, 3_000, count)),
    )


def build_staff(seed: int, timeline: Timeline, dealers: Dealers, users: Array) -> Staff:
    """Return advisers per dealer and staff of headquarters; about one in eight is a customer.

    `users` are the persons who use the app, from whom these customers are drawn.
    """
    rng = draw_from(seed, "staff")
    at_dealers = len(dealers) * ADVISERS_PER_DEALER
    central = max(8, len(users) // 200)
    count = at_dealers + central
    dealer = np.concatenate(
        [np.repeat(np.arange(len(dealers)), ADVISERS_PER_DEALER), [-1] * central]
    )
    roles = np.concatenate([np.zeros(at_dealers, int), 3 + np.arange(central) % 4])
    customers = min(max(6, count // 8), max(1, len(users) // 5))
    person = np.full(count, -1)
    person[rng.choice(count, customers, replace=False)] = rng.choice(
        users, customers, replace=False
    )
    today = timeline.end // DAY
    hired = today - rng.integers(60, 2_500, count)
    left = np.where(rng.random(count) < 0.05, today - rng.integers(1, 50, count), MISSING)
    return Staff(
        code=joined("S", padded(np.arange(count) + 20_001, 6)),
        role=pick(STAFF_ROLES, roles),
        dealer=dealer,
        person=person,
        hired=np.asarray(hired),
        left=left,
        advisers=np.arange(at_dealers),
        adviser_count=ADVISERS_PER_DEALER,
    )
