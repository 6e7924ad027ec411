"""The scorecard, person by person, and how right it was; points as the seed declares them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import ceil, exp, inf, log

from reference.daily import end_of
from reference.exports import local_date

Event = tuple[str, datetime, str]
DAY = timedelta(days=1)
COMPARISONS = {"CompareSeries", "ViewConfig"}


def features(events: Sequence[Event], day: date) -> dict[str, int] | None:
    """What the 30 local dates up to the day say of a person; None for who was not there."""
    seen = [e for e in events if day - 30 * DAY < local_date(e[1]) <= day]
    if not seen:
        return None
    names = Counter(name for name, _, _ in seen)
    series = {code for _, _, code in seen}
    return {
        "views_30d": names["ViewSeries"],
        "comparisons_30d": sum(names[name] for name in COMPARISONS),
        "finance_clicks_30d": names["ClickFinance"],
        "inquiries_30d": names["SubmitInquiry"],
        "active_days_7d": len(
            {local_date(at) for _, at, _ in seen if day - local_date(at) < 7 * DAY}
        ),
        "rule_series_30d": sum(
            sum(e[0] == "ViewSeries" and e[2] == code for e in seen) > 10
            and any(e[0] == "ClickFinance" and e[2] == code for e in seen)
            for code in series
        ),
    }


def score(
    values: Mapping[str, int], points: Mapping[str, Mapping[int, float]], intercept: float
) -> float:
    """The chance: of each feature the points of the largest step that is reached."""
    total = intercept
    for name, steps in points.items():
        reached = [step for step in steps if values[name] >= step]
        total += steps[max(reached)] if reached else 0.0
    return round(1 / (1 + exp(-round(total, 6))), 6)


def band(chance: float) -> str:
    low = min(int(chance * 10), 9) * 10
    return f"{low:02d}-{low + 10}"


def judged(
    people: Mapping[str, Sequence[Event]],
    week: date,
    points: Mapping[str, Mapping[int, float]],
    intercept: float,
) -> list[tuple[float, int]]:
    """(score, outcome) of everybody scored on the Sunday evening before the week."""
    begin = end_of(week - DAY)
    found = []
    for events in people.values():
        values = features([e for e in events if e[1] < begin], week - DAY)
        if values is not None:
            asked = any(
                name == "SubmitInquiry" and begin <= at < begin + 7 * DAY for name, at, _ in events
            )
            found.append((score(values, points, intercept), int(asked)))
    return found


def stability(now: Sequence[int], before: Sequence[int], steps: Sequence[int]) -> float:
    """The population stability index of a feature over the bins of its steps: sum (a-e) ln(a/e)."""
    index = 0.0
    for low, high in zip([-inf, *steps], [*steps, inf], strict=True):
        a, e = (
            max(sum(low <= value < high for value in values) / len(values), 0.0001)
            for values in (now, before)
        )
        index += (a - e) * log(a / e)
    return index


def top(scored: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """The tenth with the highest scores; who shares the last one's score is among them."""
    ranked = sorted((chance for chance, _ in scored), reverse=True)
    least = ranked[ceil(len(ranked) / 10) - 1]
    return [one for one in scored if one[0] >= least]


def recalibrated(scored: Sequence[tuple[float, int]]) -> tuple[float, float] | None:
    """Intercept and slope by climbing the likelihood with ever smaller steps; slow and sure."""
    if len({y for _, y in scored}) < 2 or len({p for p, _ in scored}) < 2:
        return None
    cells = Counter((log(p / (1 - p)), y) for p, y in scored)

    def likelihood(a: float, b: float) -> float:
        total = 0.0
        for (x, y), count in cells.items():
            chance = 1 / (1 + exp(-(a + b * x)))
            total += count * log(chance if y else 1 - chance)
        return total

    a, b, step = 0.0, 1.0, 1.0
    while step > 1e-7:
        tries = [
            (a + i * step, b + j * step)
            for i in (-1, -0.5, 0, 0.5, 1)
            for j in (-1, -0.5, 0, 0.5, 1)
        ]
        best = max(tries, key=lambda at: likelihood(*at))
        if best == (a, b) or likelihood(*best) <= likelihood(a, b):
            step /= 2
        else:
            a, b = best
    return a, b
