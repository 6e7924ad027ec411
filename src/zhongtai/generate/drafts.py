"""What people do on the app, the mini-program and the website, before it is spelled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array, Generator, digits, joined, padded, pick, weighted
from zhongtai.generate.names import SERIES, TRIMS
from zhongtai.generate.timeline import DAY, Timeline

# Local hours in which people are on their phones, as weights of the 24 hours.
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 10, 9, 7, 7, 7, 8, 9, 12, 14, 14, 11, 6)


@dataclass(frozen=True)
class Drafts:
    """Events: `at` in UTC ms, `properties` as the inside of a JSON object (empty for none)."""

    person: Array
    at: Array
    event: pa.Array
    properties: pa.Array

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Sessions:
    """Uses of a surface: start in UTC ms, number of steps, length in ms."""

    person: Array
    start: Array
    steps: Array
    length: Array

    def __len__(self) -> int:
        return len(self.person)


def draft(person: Array, at: Array, event: str, properties: pa.Array | str = "") -> Drafts:
    """Return drafts of one event; times in UTC ms."""
    count = len(person)
    text = pa.repeat(properties, count) if isinstance(properties, str) else properties
    return Drafts(person, np.asarray(at, dtype=np.int64), pa.repeat(event, count), text)


def merge(parts: Sequence[Drafts]) -> Drafts:
    """Return all drafts, by time."""
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    event = pa.concat_arrays([part.event for part in parts]).take(pa.array(order))
    properties = pa.concat_arrays([part.properties for part in parts]).take(pa.array(order))
    person = np.concatenate([part.person for part in parts])[order]
    return Drafts(person, at[order], event, properties)


def cut(drafts: Drafts, timeline: Timeline) -> Drafts:
    """Return the drafts that lie within the days."""
    inside = (drafts.at >= timeline.begin * 1000) & (drafts.at < timeline.end * 1000)
    rows = np.flatnonzero(inside)
    place = pa.array(rows)
    person = drafts.person[rows]
    return Drafts(person, drafts.at[rows], drafts.event.take(place), drafts.properties.take(place))


def draw_sessions(
    rng: Generator, timeline: Timeline, users: Array, per_day: float, steps: int
) -> Sessions:
    """Return sessions of `users`: some per day each, at the hours that people have."""
    activity = rng.gamma(1.2, 1 / 1.2, len(users)) * per_day * timeline.days
    person = np.repeat(users, rng.poisson(activity) + 1)
    count = len(person)
    hour = weighted(rng, HOUR_WEIGHTS, count)
    day = rng.integers(0, timeline.days, count)
    start = (timeline.begin + day * DAY + hour * 3600) * 1000 + rng.integers(0, 3_600_000, count)
    number = rng.integers(1, steps + 1, count)
    return Sessions(person, start, number, number * rng.integers(5_000, 60_000, count))


def steps_of(rng: Generator, sessions: Sessions) -> tuple[Array, Array]:
    """Return the session and the time (UTC ms) of each step within the sessions."""
    session = np.repeat(np.arange(len(sessions)), sessions.steps)
    share = rng.random(len(session))
    at = sessions.start[session] + 500 + (share * (sessions.length[session] - 1_000)).astype(int)
    return session, at


def session_views(
    rng: Generator, person: Array, at: Array, finance: Array, events: Sequence[str]
) -> list[Drafts]:
    """Return the steps of sessions as business events drawn from `events`.

    Only those for whom `finance` holds ever click on finance outside the behaviour rule.
    """
    kind = rng.integers(0, len(events), len(person))
    series = rng.integers(0, len(SERIES), len(person))
    parts = []
    for index, event in enumerate(events):
        rows = np.flatnonzero((kind == index) & (finance | (event != "ClickFinance")))
        parts.append(draft(person[rows], at[rows], event, details(rng, event, series[rows])))
    return parts


def details(rng: Generator, event: str, series: Array) -> pa.Array:
    """Return the properties of a business event that concern no person."""
    count = len(series)
    code = pick(SERIES, series)
    if event in ("ViewContent", "LikeContent", "ShareContent"):
        content = padded(rng.integers(1, 400, count), 5)
        return joined('"content_id":"CT', content, '"')
    if event == "CommunityPost":
        return joined('"post_id":"PO', padded(rng.integers(1, 10**8, count), 9), '"')
    if event == "JoinActivity":
        return joined('"campaign_code":"CP', padded(rng.integers(1, 7, count), 4), '"')
    if event == "Inbox":
        return joined('"action":"', pick(["view", "click"], rng.integers(0, 2, count)), '"')
    if event == "Subscribe":
        amount = digits(rng.integers(1, 40, count) * 9_900)
        return joined('"sku":"SKU', padded(rng.integers(1, 9, count), 3), '","amount_fen":', amount)
    model = joined(code, "-", pick(TRIMS, rng.integers(0, len(TRIMS), count)))
    extra = {
        "ViewConfig": joined(',"model_code":"', model, '"'),
        "CompareSeries": joined(',"rival":"R', padded(rng.integers(1, 9, count), 2), '"'),
        "ClickFinance": joined(',"plan":"P', padded(rng.integers(12, 61, count), 2), '"'),
    }
    return joined('"series_code":"', code, '"', extra.get(event, ""))


def quoted(values: pa.Array) -> pa.Array:
    """Return the values as JSON strings; the values have nothing to escape."""
    return pc.binary_join_element_wise('"', values, '"', "")
