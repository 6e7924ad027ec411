"""Until when a small order has to be locked, rule by rule."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from reference.exports import Row, local_date
from reference.working_time import CHINA

# series (None: every one), from, until (first date that is no longer meant), last day, days
Rule = tuple[str | None, str, str, str | None, int]
COMMON: Rule = (None, "0001-01-01", "9999-12-31", None, 30)


def cut_off(order: Row, rules: Sequence[Rule] = (COMMON,)) -> datetime:
    """The first instant at which a lock is too late."""
    ordered_at = order["small_ordered_at"]
    day = local_date(ordered_at).isoformat()
    fitting = [
        rule
        for rule in rules
        if rule[0] in (None, order.get("series_code")) and rule[1] <= day < rule[2]
    ]
    series = [rule for rule in fitting if rule[0] is not None]
    *_, last_day, days = max(series or fitting, key=lambda rule: rule[1])
    if last_day is None:
        return ordered_at + timedelta(days=days)  # type: ignore[no-any-return]
    midnight = datetime.combine(datetime.fromisoformat(last_day), time()) + timedelta(days=1)
    return midnight - CHINA + timedelta(days=days)
