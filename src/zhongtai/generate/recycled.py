"""Telephone numbers that change hands: persons with a new number, and old ones issued again."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import MISSING, Array, draw_from, rows_of
from zhongtai.generate.journeys import Leads
from zhongtai.generate.people import People, phones
from zhongtai.generate.sales import Orders
from zhongtai.generate.timeline import DAY, Timeline

RECYCLED, CHANGED = 0.01, 0.03  # of the persons
QUIET_DAYS = 90  # an operator keeps a number back for at least as long


@dataclass(frozen=True)
class Numbers:
    """Former mobiles, one value per person; null and `MISSING` where there is none.

    Forms filled in before `until` (UTC seconds) show the `former` number, and so does the account
    of the app until `rebound` (UTC ms). `taker` is the person who has the number now, -1 if nobody.
    """

    former: pa.Array
    until: Array
    rebound: Array
    taker: Array

    @property
    def involved(self) -> Array:
        """Persons who had another number, and those who have it now."""
        had = self.former.is_valid().to_numpy(zero_copy_only=False)
        return np.concatenate([np.flatnonzero(had), self.taker[self.taker >= 0]])

    def at(self, person: Array, times: Array) -> pa.Array:
        """Return the former numbers of persons at times before they changed, else null."""
        known = (person >= 0) & (times != MISSING)
        return rows_of(self.former, np.where(known & (times < self.until[person]), person, -1))

    def bound(self, person: Array, at: Array) -> pa.Array:
        """Return the former numbers that accounts still show at times (UTC ms), else null."""
        return rows_of(self.former, np.where(at < self.rebound[person], person, -1))


def pass_on_numbers(
    seed: int, timeline: Timeline, people: People, past: tuple[Leads, Orders], barred: Array
) -> Numbers:
    """Return who had which number before.

    Who takes over a number has been heard of only in the days of the world, so months later.
    `barred` are persons to leave alone.
    """
    rng = draw_from(seed, "numbers")
    count = len(people)
    old, fresh = _old_and_fresh(timeline, count, past)
    old, fresh = np.setdiff1d(old, barred), np.setdiff1d(fresh, barred)
    size = min(max(4, int(count * RECYCLED)), len(old), len(fresh))
    givers = rng.permutation(old)[:size]
    taker = np.full(count, -1)
    taker[givers] = rng.permutation(fresh)[:size]
    known = np.setdiff1d(np.concatenate([old, fresh]), np.r_[givers, taker[givers]])
    changers = rng.permutation(known)[: max(6, int(count * CHANGED))]
    only_changes = np.full(count, -1)
    only_changes[changers] = changers
    own_former = rows_of(phones(seed, np.arange(count) + 4 * count), only_changes)
    former = pc.coalesce(rows_of(people.mobile, taker), own_former)
    has = former.is_valid().to_numpy(zero_copy_only=False)
    until = timeline.begin - rng.integers(QUIET_DAYS, 180, count) * DAY
    stale = rng.random(count) < 0.5
    rebound = (timeline.begin + timeline.days * DAY // 2) * 1000
    return Numbers(
        former=former,
        until=np.where(has, until, MISSING),
        rebound=np.where(has & stale, rebound, 0),
        taker=taker,
    )


def _old_and_fresh(
    timeline: Timeline, count: int, past: tuple[Leads, Orders]
) -> tuple[Array, Array]:
    """Return the persons with records of more than half a year ago, and those with only new ones.

    The old ones have records of the days too, which show the number of today.
    """
    leads, orders = past
    person = np.r_[leads.person, orders.person]
    at = np.r_[leads.created, orders.small]
    first, last = np.full(count, 1 << 60), np.full(count, 0)
    known = person >= 0
    np.minimum.at(first, person[known], at[known])
    np.maximum.at(last, person[known], at[known])
    old = np.flatnonzero(first < timeline.begin - 200 * DAY)
    fresh = np.flatnonzero((first >= timeline.begin) & (last > 0))
    return old, fresh
