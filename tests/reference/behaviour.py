"""The rule of views and a finance click, person by person and moment by moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import sqrt

from reference.exports import local_date

VIEWS, DAYS, HOURS, WEEK = 10, timedelta(days=30), timedelta(hours=72), timedelta(days=7)


@dataclass
class Behaviour:
    """What one person did: times (naive UTC) of views and finance clicks by series, inquiries."""

    views: dict[str, list[datetime]] = field(default_factory=dict)
    clicks: dict[str, list[datetime]] = field(default_factory=dict)
    inquiries: list[datetime] = field(default_factory=list)
    visits: list[datetime] = field(default_factory=list)
    contacts: list[datetime] = field(default_factory=list)
    is_held_out: bool = False

    def holds(self, series: str, moment: datetime) -> bool:
        """More than 10 views and a click in the 30 days up to the moment, no inquiry before."""
        views = [at for at in self.views.get(series, []) if moment - DAYS < at <= moment]
        clicks = [at for at in self.clicks.get(series, []) if moment - DAYS < at <= moment]
        return len(views) > VIEWS and len(clicks) >= 1 and not self.has_asked_before(moment)

    def has_asked_before(self, moment: datetime) -> bool:
        return any(moment - DAYS <= at < moment for at in self.inquiries)

    def asks_after(self, moment: datetime) -> bool:
        return any(moment < at <= moment + HOURS for at in self.inquiries)

    def answers(self, hit: datetime) -> list[datetime]:
        """Inquiries and visits in the seven days from a hit."""
        return [at for at in (*self.inquiries, *self.visits) if hit <= at < hit + WEEK]

    def arms(self, hit: datetime) -> list[str]:
        """By lot, and whether somebody contacted the person before anything came."""
        if self.is_held_out:
            return ["holdout"]
        until = min([hit + WEEK, *self.answers(hit)])
        is_contacted = any(hit <= at < until for at in self.contacts)
        return ["offered", "contacted"] if is_contacted else ["offered"]

    def hits(self, series: str) -> list[datetime]:
        found: list[datetime] = []
        for moment in sorted({*self.views.get(series, []), *self.clicks.get(series, [])}):
            is_apart = not found or moment - found[-1] >= DAYS
            if is_apart and self.holds(series, moment):
                found.append(moment)
        return found


def week_of(moment: datetime) -> date:
    """The Monday of the local week."""
    day = local_date(moment)
    return day - timedelta(days=day.weekday())


def behaviour_rule(
    persons: Sequence[Behaviour], as_of: datetime
) -> Mapping[tuple[date, str], dict[str, int]]:
    """Counts of metrics_behaviour_rule_weekly by week and series."""
    found: dict[tuple[date, str], dict[str, int]] = {}
    names = ["rule_hits"]
    rates = ["rule_precision_72h", "base_rate_72h"]
    rates += [f"contact_uplift_{arm}" for arm in ("contacted", "offered", "holdout")]
    names += [f"{rate}_{part}" for rate in rates for part in ("num", "den")]
    for person in persons:
        for series in person.views:
            for hit in person.hits(series):
                row = found.setdefault((week_of(hit), series), dict.fromkeys(names, 0))
                row["rule_hits"] += 1
                _add(row, "rule_precision_72h", person, hit, as_of)
                for arm in person.arms(hit) if hit + WEEK <= as_of else []:
                    row[f"contact_uplift_{arm}_den"] += 1
                    row[f"contact_uplift_{arm}_num"] += bool(person.answers(hit))
    for (week, series), row in found.items():
        for person in persons:
            viewed = [at for at in person.views.get(series, []) if week_of(at) == week]
            if viewed and _is_matched(person, series, min(viewed)):
                _add(row, "base_rate_72h", person, min(viewed), as_of)
    return found


def _is_matched(person: Behaviour, series: str, viewed: datetime) -> bool:
    hits = person.hits(series)
    if any(week_of(hit) == week_of(viewed) or viewed - DAYS < hit < viewed for hit in hits):
        return False
    return not person.has_asked_before(viewed)


def _add(
    row: dict[str, int], name: str, person: Behaviour, moment: datetime, as_of: datetime
) -> None:
    if moment + HOURS <= as_of:
        row[f"{name}_den"] += 1
        row[f"{name}_num"] += person.asks_after(moment)


def wilson(hits: int, anchors: int) -> tuple[float, float] | None:
    """The Wilson 95 % interval of a share, by solving (p - x)^2 = z^2 x (1 - x) / n for x."""
    if anchors == 0:
        return None
    z2, share = 1.959963984540054**2, hits / anchors
    a, b, c = 1 + z2 / anchors, -(2 * share + z2 / anchors), share**2
    root = sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def difference(
    one: tuple[int, int], other: tuple[int, int]
) -> tuple[float | None, float | None, float | None]:
    """One share less another with its 95 % interval, by Newcombe's square-and-add."""
    a, b = wilson(*one), wilson(*other)
    if a is None or b is None:
        return None, None, None
    p, q = one[0] / one[1], other[0] / other[1]
    low = p - q - sqrt((p - a[0]) ** 2 + (b[1] - q) ** 2)
    high = p - q + sqrt((a[1] - p) ** 2 + (q - b[0]) ** 2)
    return p - q, low, high
