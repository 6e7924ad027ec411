"""Stages and pools day by day, each person and each day's end looked at anew."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reference.exports import local_date
from reference.standing import Standing, lost, ordered
from reference.working_time import CHINA

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
PROMISES = {"H": 7, "A": 15, "B": 30, "C": 90}
INTERVALS = {"N": 1, "H": 2, "A": 4, "B": 7, "C": 15, "T": 30}
POOL_OF = {"H": "潜客池", "A": "潜客池", "B": "孵化池", "C": "孵化池"}


@dataclass
class Person:
    """A person's rows, and since when the person is known (naive UTC)."""

    standing: Standing
    first_seen: datetime
    regions: Mapping[str | None, str | None]

    def region(self, moment: datetime) -> str:
        """Region of the dealer last dealt with before the moment."""
        person = self.standing
        dealings = [(r["created_at"], 4, r["lead_id"], r["dealer_code"]) for r in person.leads]
        for row in person.orders:
            times = [row["small_ordered_at"], row["large_ordered_at"], row["locked_at"]]
            if any(times):
                dealings.append((ordered(row), 1, row["order_no"], row["dealer_code"]))
        dealings += [(v["arrived_at"], 2, "", v["dealer_code"]) for v in person.store_visits]
        dealings += [(d["started_at"], 3, "", d["dealer_code"]) for d in person.test_drives]
        known = [d for d in dealings if d[0] < moment and self.regions.get(d[3])]
        return self.regions[max(known)[3]] or "" if known else ""

    def lead_region(self, moment: datetime) -> str:
        lead = self.standing._latest_lead(moment)
        return self.regions.get(lead["dealer_code"]) or "" if lead else ""

    def is_known(self, moment: datetime) -> bool:
        return self.first_seen < moment


def end_of(day: date) -> datetime:
    """The local midnight that ends the day, naive UTC."""
    return datetime.combine(day + DAY, datetime.min.time()) - CHINA


def lifecycle(persons: Sequence[Person], days: Sequence[date]) -> dict[Hashable, Counter[str]]:
    """Counts of metrics_lifecycle_daily by (date, stage, region), on these days."""
    found: dict[Hashable, Counter[str]] = {}
    for day in days:
        for person in persons:
            now, before = (_place(person, end_of(d)) for d in (day, day - DAY))
            if now:
                found.setdefault((day, *now), Counter())["users"] += 1
            if now != before:
                if now:
                    found[(day, *now)]["users_entered"] += 1
                if before:
                    found.setdefault((day, *before), Counter())["users_left"] += 1
    return found


def _place(person: Person, moment: datetime) -> tuple[str, str] | None:
    if not person.is_known(moment):
        return None
    return person.standing.stage(moment), person.region(moment)


def pool_sizes(persons: Sequence[Person], days: Sequence[date]) -> Counter[Hashable]:
    """pool_size of metrics_nurture_pool_daily on these days, by its keys."""
    found: Counter[Hashable] = Counter()
    for day in days:
        moment, before = end_of(day), end_of(day - DAY)
        for person in persons:
            if person.is_known(moment):
                standing = person.standing
                tiers = (standing.tier(at) or "" for at in (before, moment))
                key = (day, standing.pool(moment), *tiers, person.lead_region(moment))
                found[key] += 1
    return found


@dataclass
class Stay:
    """A stay in one pool, with the rating and region at both ends."""

    pool: str
    entered: datetime
    tier_before: str
    tier: str
    region: str
    left: datetime | None = None
    last_tier: str = ""
    tier_after: str = ""
    last_region: str = ""


def stays(person: Person) -> list[Stay]:
    """What the person's pools were after each moment at which anything could change."""
    found: list[Stay] = []
    tier_before = ""
    for moment in _moments(person):
        after = moment + INSTANT
        pool, tier = person.standing.pool(after), person.standing.tier(after) or ""
        region = person.lead_region(after)
        if not found or found[-1].pool != pool:
            if found:
                found[-1].left, found[-1].tier_after = moment, tier
            found.append(Stay(pool, moment, tier_before, tier, region))
        found[-1].last_tier, found[-1].last_region, tier_before = tier, region, tier
    return found


def _moments(person: Person) -> list[datetime]:
    standing = person.standing
    times = {person.first_seen}
    for lead in standing.leads:
        times.update(at for at, _ in standing._ratings(lead))
        called = standing._called(lead)
        times.update(at for at in (called, lost(lead)) if at)
    return sorted(at for at in times if person.first_seen <= at < standing.as_of)


def pool_moves(persons: Sequence[Person], as_of: datetime) -> dict[Hashable, Counter[str]]:
    """Cohorts, exits, promises and gaps of metrics_nurture_pool_daily by its keys."""
    found: dict[Hashable, Counter[str]] = {}
    for person in persons:
        for key, names in [*_of_stays(person, as_of), *_of_leads(person, as_of)]:
            found.setdefault(key, Counter()).update(names)
    return found


def dwell_days(persons: Sequence[Person]) -> dict[Hashable, list[float]]:
    """Days of the stays that ended, by the keys of the exit."""
    found: dict[Hashable, list[float]] = {}
    for person in persons:
        for stay in stays(person):
            if stay.left:
                days = (stay.left - stay.entered).total_seconds() // 1 / 86400
                found.setdefault(_exit_key(stay, stay.left), []).append(days)
    return found


def _exit_key(stay: Stay, left: datetime) -> Hashable:
    return local_date(left), stay.pool, stay.last_tier, stay.tier_after, stay.last_region


def _of_stays(person: Person, as_of: datetime) -> Iterator[tuple[Hashable, list[str]]]:
    for stay in stays(person):
        key = (local_date(stay.entered), stay.pool, stay.tier_before, stay.tier, stay.region)
        names = ["entrants"]
        soon = [
            moment + INSTANT
            for moment in _moments(person)
            if stay.entered <= moment < stay.entered + 30 * DAY
        ]
        if stay.entered + 30 * DAY <= as_of:
            tiers = {person.standing.tier(at) for at in soon}
            if stay.pool == "孵化池" and stay.tier in {"B", "C", "N"}:
                names.append("upgrade_rate_30d_den")
                names += ["upgrade_rate_30d_num"] if tiers & {"H", "A"} else []
            if stay.pool != "流量池":
                pools = {(person.standing.pool(at), person.standing.tier(at) == "D") for at in soon}
                names.append("pool_leak_rate_30d_den")
                names += ["pool_leak_rate_30d_num"] if ("流量池", False) in pools else []
        yield key, names
        if stay.left:
            yield _exit_key(stay, stay.left), ["exits"]


def _of_leads(person: Person, as_of: datetime) -> Iterator[tuple[Hashable, list[str]]]:
    standing = person.standing
    for lead in standing.leads:
        region = person.regions.get(lead["dealer_code"]) or ""
        times = [t for t in (lead["small_ordered_at"], lead["large_ordered_at"]) if t]
        before: str | None = ""
        for at, tier in standing._ratings(lead):
            due = at + PROMISES.get(tier or "", 0) * DAY
            if tier in PROMISES and tier != before and due <= as_of:
                key = (local_date(at), POOL_OF[tier], before or "", tier, region)
                is_kept = bool(times) and at <= min(times) < due
                yield key, ["tier_precision_den", *(["tier_precision_num"] if is_kept else [])]
            before = tier
    latest = standing._latest_lead(as_of)
    tier = standing.tier(as_of)
    end = lost(latest) if latest else None
    if latest and tier in INTERVALS and not (end and end < as_of):
        touches = [f["followed_up_at"] for f in standing.follow_ups if _is_of(f, latest)]
        called = standing._called(latest)
        touched = max([latest["created_at"], *touches, *([called] if called else [])])
        key = (local_date(as_of - INSTANT), standing.pool(as_of), tier, tier)
        is_gap = touched + INTERVALS[tier] * DAY <= as_of
        names = ["nurture_touch_gap_den", *(["nurture_touch_gap_num"] if is_gap else [])]
        yield (*key, person.lead_region(as_of)), names


def _is_of(follow_up: Mapping[str, object], lead: Mapping[str, object]) -> bool:
    return follow_up["lead_id"] == lead["lead_id"]


def percentile(values: Sequence[float], share: float) -> float:
    """The value at the share of the way from the smallest to the largest, between neighbours."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)
