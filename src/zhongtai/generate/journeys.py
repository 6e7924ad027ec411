"""The way from interest to order: inquiries, leads and their stages, as one value per thing."""

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from zhongtai.generate.draws import MISSING, Array, Generator, draw_from, later, weighted
from zhongtai.generate.names import CHANNELS, FIRST_OUTSIDE, OWN_REFERRAL, SERIES, TRIMS
from zhongtai.generate.people import People
from zhongtai.generate.timeline import DAY, Timeline, at_hours

HOUR = 3600
TIERS = "NHABCODT"


@dataclass(frozen=True)
class Hot:
    """Persons with the behaviour of the rule: over ten views of a series and a finance click."""

    person: Array
    series: Array
    clicked: Array  # the finance click, after the views
    inquires: Array  # whether an inquiry follows within 72 hours


@dataclass(frozen=True)
class Inquiries:
    """Inquiries on the product's own surfaces, numbered in order."""

    person: Array
    at: Array
    surface: Array  # 0 app, 1 mini-program, 2 website
    series: Array


@dataclass(frozen=True)
class Members:
    """Members of the referral programme."""

    person: Array
    kind: Array
    registered: Array


@dataclass(frozen=True)
class Referrals:
    """Recommendations of a person by a member."""

    person: Array
    member: Array
    at: Array
    series: Array


Things = TypeVar("Things", Inquiries, Referrals)


@dataclass(frozen=True)
class Leads:
    """CRM leads; `person` is -1 for tests. Stage times are `MISSING` where not reached."""

    person: Array
    created: Array
    channel: Array
    series: Array
    trim: Array
    dealer: Array
    adviser: Array
    inquiry: Array  # index of the inquiry, -1
    referral: Array  # index of the referral, -1
    is_repeat: Array
    is_test: Array
    assigned: Array
    dispatched: Array
    contacted: Array
    connected: Array
    call_seconds: Array
    visited: Array
    driven: Array
    small: Array
    large: Array
    lost: Array
    invalid: Array
    quality: Array  # tier after the first contact: 1 H, 2 A, 3 B, 4 C

    def __len__(self) -> int:
        return len(self.person)


def draw_hot(seed: int, timeline: Timeline, people: People) -> Hot:
    """Return the persons of the rule; the click leaves 72 hours for the inquiry where it can."""
    rng = draw_from(seed, "hot")
    person = np.flatnonzero(people.is_hot)
    span = timeline.days * DAY
    first = min(4 * DAY, span // 4)
    last = max(span - 74 * HOUR, span // 2)
    clicked = timeline.begin + first + (rng.random(len(person)) * (last - first)).astype(np.int64)
    inquires = rng.random(len(person)) < 0.7
    return Hot(person, rng.integers(0, len(SERIES), len(person)), clicked, inquires)


def draw_inquiries(seed: int, timeline: Timeline, people: People, hot: Hot) -> Inquiries:
    """Return the inquiries: those of the rule, and of one in twelve of the other visitors."""
    rng = draw_from(seed, "inquiries")
    count = int(hot.inquires.sum())
    follow = hot.clicked[hot.inquires] + rng.integers(HOUR, 71 * HOUR, count)
    surfaces = np.stack([people.uses_app, people.uses_miniprogram, people.uses_website], axis=1)
    others = np.flatnonzero(
        surfaces.any(axis=1) & ~people.is_hot & (rng.random(len(people)) < 0.12)
    )
    surface = np.argmax(surfaces[others] * rng.random((len(others), 3)), axis=1)
    at = at_hours(_any_time(rng, timeline, len(others)), 7, 23, rng.random(len(others)))
    seconds = rng.integers(0, 60, len(others))
    series = rng.integers(0, len(SERIES), len(others))
    person = np.r_[hot.person[hot.inquires], others]
    inquiries = Inquiries(
        person=person,
        at=np.r_[follow, at + seconds],
        surface=np.r_[np.zeros(count, dtype=np.int64), surface],
        series=np.r_[hot.series[hot.inquires], series],
    )
    return _sorted(inquiries, inquiries.at, inquiries.at < timeline.end)


def draw_members(seed: int, timeline: Timeline, people: People) -> Members:
    """Return six in a hundred persons as members, registered before or within the days."""
    rng = draw_from(seed, "members")
    count = max(12, len(people) * 6 // 100)
    person = rng.choice(len(people), count, replace=False)
    kind = weighted(rng, (0.7, 0.1, 0.2), count)
    kind[:3] = (0, 1, 2)
    registered = timeline.end - rng.integers(DAY, 400 * DAY, count)
    return Members(person=person, kind=kind, registered=registered)


def draw_referrals(seed: int, timeline: Timeline, people: People, members: Members) -> Referrals:
    """Return the recommendations: few members bring most of them."""
    rng = draw_from(seed, "referrals")
    count = max(8, len(people) // 30)
    member = np.minimum(rng.zipf(1.6, count) - 1, len(members.person) - 1)
    person = rng.permutation(len(people))[:count]
    at = at_hours(_any_time(rng, timeline, count), 8, 22, rng.random(count)) + rng.integers(
        0, 60, count
    )
    keep = (
        (person != members.person[member]) & (at > members.registered[member]) & (at < timeline.end)
    )
    referrals = Referrals(person, member, at, rng.integers(0, len(SERIES), count))
    return _sorted(referrals, at, keep)


def draw_leads(
    seed: int, timeline: Timeline, people: People, inquiries: Inquiries, referrals: Referrals
) -> Leads:
    """Return all CRM leads in order of creation, without their stages' ends cut off."""
    rng = draw_from(seed, "leads")
    seeds = [_inquiry_seeds(rng, inquiries), _referral_seeds(rng, referrals)]
    seeds.append(_outside_seeds(rng, timeline, len(people)))
    seeds.append(_old_seeds(rng, timeline, len(people)))
    first = np.concatenate(seeds, axis=1)
    again = first[:, rng.random(first.shape[1]) < 0.08].copy()
    again[1] += rng.integers(DAY, 25 * DAY, again.shape[1])
    again[2] = rng.integers(FIRST_OUTSIDE, len(CHANNELS), again.shape[1])
    again[4:6] = -1
    tests = _test_seeds(rng, timeline, max(2, first.shape[1] // 100))
    every = np.concatenate([first, again, tests], axis=1)
    repeat = np.r_[
        np.zeros(first.shape[1], bool),
        np.ones(again.shape[1], bool),
        np.zeros(tests.shape[1], bool),
    ]
    keep = every[1] < timeline.end
    order = np.argsort(every[1][keep], kind="stable")
    return _with_stages(rng, people, every[:, keep][:, order], repeat[keep][order])


def _inquiry_seeds(rng: Generator, inquiries: Inquiries) -> Array:
    index = np.flatnonzero(rng.random(len(inquiries.person)) < 0.95)
    nothing = np.full(len(index), -1)
    created = inquiries.at[index] + rng.integers(20, 1_200, len(index))
    surface, series = inquiries.surface[index], inquiries.series[index]
    return np.stack([inquiries.person[index], created, surface, series, index, nothing])


def _referral_seeds(rng: Generator, referrals: Referrals) -> Array:
    index = np.flatnonzero(rng.random(len(referrals.person)) < 0.7)
    created = referrals.at[index] + rng.integers(20, 1_200, len(index))
    nothing = np.full(len(index), -1)
    channel = np.full(len(index), OWN_REFERRAL)
    return np.stack(
        [referrals.person[index], created, channel, referrals.series[index], nothing, index]
    )


def _outside_seeds(rng: Generator, timeline: Timeline, people: int) -> Array:
    person = np.flatnonzero(rng.random(people) < 0.18)
    count = len(person)
    created = at_hours(_any_time(rng, timeline, count), 8, 22, rng.random(count))
    created = created + rng.integers(0, 60, count)
    channel = rng.integers(FIRST_OUTSIDE, len(CHANNELS), count)
    nothing = np.full(count, -1)
    return np.stack(
        [person, created, channel, rng.integers(0, len(SERIES), count), nothing, nothing]
    )


def _old_seeds(rng: Generator, timeline: Timeline, people: int) -> Array:
    """Return leads of earlier years, which the CRM still exports."""
    person = np.flatnonzero(rng.random(people) < 0.03)
    count = len(person)
    created = timeline.begin - rng.integers(210, 700, count) * DAY
    created = at_hours(created, 8, 22, rng.random(count)) + rng.integers(0, 60, count)
    channel = rng.integers(FIRST_OUTSIDE, len(CHANNELS), count)
    nothing = np.full(count, -1)
    series = rng.integers(0, len(SERIES), count)
    return np.stack([person, created, channel, series, nothing, nothing])


def _test_seeds(rng: Generator, timeline: Timeline, count: int) -> Array:
    created = _any_time(rng, timeline, count)
    nothing = np.full(count, -1)
    channel = rng.integers(0, len(CHANNELS), count)
    return np.stack(
        [nothing, created, channel, rng.integers(0, len(SERIES), count), nothing, nothing]
    )


def _with_stages(rng: Generator, people: People, seeds: Array, is_repeat: Array) -> Leads:
    person, created, channel, series, inquiry, referral = seeds
    count = len(person)
    is_test = person < 0
    invalid = ~is_test & (rng.random(count) < 0.05)
    works = ~is_test & ~invalid
    assigned = later(created, rng.integers(60, 1_800, count), works)
    dispatched = later(assigned, rng.integers(60, 3_600, count), rng.random(count) < 0.97)
    contacted = later(dispatched, _response_delay(rng, count), rng.random(count) < 0.94)
    connected = (contacted != MISSING) & (rng.random(count) < 0.75)
    visits = connected & ~is_repeat & (rng.random(count) < 0.4)
    visited = later(contacted, (rng.exponential(3.0, count) * DAY).astype(int) + HOUR, visits)
    visited = np.maximum(
        at_hours(visited, 10, 19, rng.random(count)), later(contacted, 20 * 60, visits)
    )
    wait = np.where(rng.random(count) < 0.75, 1_800, rng.integers(1, 6, count) * DAY)
    driven = later(visited, wait + rng.integers(0, 1_800, count), rng.random(count) < 0.65)
    buys = rng.random(count) < np.where(driven != MISSING, 0.45, 0.15)
    base = np.where(driven != MISSING, driven, visited)
    small = later(base, rng.integers(1_800, 6 * DAY, count), buys)
    large = later(small, rng.integers(HOUR, 4 * DAY, count), rng.random(count) < 0.8)
    loses = (small == MISSING) & works & (rng.random(count) < 0.3)
    lost = later(
        np.where(visited != MISSING, visited, created),
        rng.integers(3 * DAY, 15 * DAY, count),
        loses,
    )
    dealer = np.where(is_test, 0, people.dealer[person])
    return Leads(
        person=person, created=created, channel=channel, series=series,
        trim=rng.integers(0, len(TRIMS), count), dealer=dealer, adviser=np.zeros(count, np.int64),
        inquiry=inquiry, referral=referral, is_repeat=is_repeat, is_test=is_test,
        assigned=assigned, dispatched=dispatched, contacted=contacted, connected=connected,
        call_seconds=np.where(connected, rng.integers(8, 600, count), MISSING),
        visited=visited, driven=driven, small=small, large=large, lost=lost, invalid=invalid,
        quality=weighted(rng, (0.15, 0.25, 0.35, 0.25), count) + 1,
    )  # fmt: skip


def _response_delay(rng: Generator, count: int) -> Array:
    kind = weighted(rng, (0.45, 0.2, 0.2, 0.1, 0.05), count)
    low = np.array([60, 30 * 60, HOUR, 4 * HOUR, 14 * HOUR])[kind]
    high = np.array([30 * 60, HOUR, 4 * HOUR, 14 * HOUR, 60 * HOUR])[kind]
    return np.asarray(low + (rng.random(count) * (high - low)).astype(np.int64))


def _any_time(rng: Generator, timeline: Timeline, count: int) -> Array:
    return timeline.begin + rng.integers(0, timeline.days * DAY, count)


def _sorted(things: Things, key: Array, keep: Array) -> Things:
    order = np.argsort(key, kind="stable")
    order = order[keep[order]]
    values = {field.name: getattr(things, field.name)[order] for field in fields(things)}
    return type(things)(**values)
