"""Whom content on app and mini-program reaches, reader by reader; decision 0023."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reference.exports import local_date

LATER, VISITS = timedelta(days=30), timedelta(days=90)


@dataclass
class Reader:
    """What a person did, all naive UTC; `views` are of content, `others` likes and shares of it."""

    views: list[datetime] = field(default_factory=list)
    others: list[datetime] = field(default_factory=list)
    leads: list[datetime] = field(default_factory=list)
    visits: list[datetime] = field(default_factory=list)

    @property
    def touches(self) -> list[datetime]:
        return sorted([*self.views, *self.others])


def month_of(moment: datetime) -> date:
    return local_date(moment).replace(day=1)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def content_reach(persons: list[Reader], as_of: datetime) -> Mapping[date, Counter[str]]:
    """Counts of metrics_content_reach_monthly by month."""
    found: dict[date, Counter[str]] = {}
    every = [at for person in persons for at in person.touches]
    month = month_of(min(every, default=as_of))
    while month <= month_of(as_of):
        first = month - timedelta(days=30)
        counts = Counter({"content_lead_rate_den": 0})
        for person in persons:
            days = [local_date(at) for at in person.touches]
            if any(first <= day < next_month(month) for day in days):
                counts += Counter(content_lead_rate_den=1)
                counts.update(_of_reader(person, month, as_of))
        if counts["content_lead_rate_den"]:
            found[month] = counts
        month = next_month(month)
    return found


def _of_reader(person: Reader, month: date, as_of: datetime) -> Counter[str]:
    touches = person.touches
    in_month = [at for at in touches if month_of(at) == month]
    led = [
        lead
        for lead in person.leads
        if month_of(lead) == month and any(lead - LATER <= at <= lead for at in touches)
    ]
    counts = Counter(
        content_views=sum(month_of(at) == month for at in person.views),
        content_readers=bool(in_month),
        content_leads=len(led),
        content_lead_rate_num=bool(led),
    )
    if month_of(touches[0]) == month:
        is_mature = touches[0] + VISITS <= as_of
        came = any(touches[0] <= at < touches[0] + VISITS for at in person.visits)
        counts["content_readers_new"] = 1
        counts["reader_to_visit_rate_90d_den"] = is_mature
        counts["reader_to_visit_rate_90d_num"] = is_mature and came
    return counts
