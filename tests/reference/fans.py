"""Persons won as WeCom contacts who come to a store, fan by fan; decision 0059."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reference.exports import local_date

VISITS = timedelta(days=90)


@dataclass
class Fan:
    """When a person was added by staff of which dealer, and received; all naive UTC."""

    added: list[tuple[datetime, str]] = field(default_factory=list)
    visits: list[datetime] = field(default_factory=list)
    has_number: bool = True


def wecom_fans(persons: list[Fan], as_of: datetime) -> Mapping[tuple[date, str], Counter[str]]:
    """Counts of metrics_wecom_fans_monthly by month and dealer."""
    found: dict[tuple[date, str], Counter[str]] = {}
    for person in persons:
        past = [(at, dealer) for at, dealer in person.added if at < as_of]
        if not past:
            continue
        at, dealer = min(past, key=lambda pair: pair[0])
        counts = found.setdefault((local_date(at).replace(day=1), dealer), Counter())
        is_of_rate = person.has_number and at + VISITS <= as_of
        came = any(at <= visit < at + VISITS for visit in person.visits)
        counts["fans_gained"] += 1
        counts["fans_matched"] += person.has_number
        counts["fan_to_visit_rate_90_den"] += is_of_rate
        counts["fan_to_visit_rate_90_num"] += is_of_rate and came
    return found
