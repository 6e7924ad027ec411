"""The staged rows that the references read, and who the records belong to."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from reference.working_time import CHINA

Row = Mapping[str, Any]


@dataclass
class Exports:
    """Staged rows by entity, times naive UTC; `one_id` maps (source, entity, record_key)."""

    as_of: datetime
    leads: list[Row] = field(default_factory=list)
    adf_leads: list[Row] = field(default_factory=list)
    follow_ups: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    store_visits: list[Row] = field(default_factory=list)
    test_drives: list[Row] = field(default_factory=list)
    complaints: list[Row] = field(default_factory=list)
    dealers: list[Row] = field(default_factory=list)
    staff: list[Row] = field(default_factory=list)
    ownerships: list[Row] = field(default_factory=list)
    one_id: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def region(self, dealer: str | None) -> str:
        found = [d["region"] for d in self.dealers if d["dealer_code"] == dealer]
        return found[0] or "" if found else ""


def local_date(moment: datetime) -> date:
    return (moment + CHINA).date()


def in_window(moment: datetime | None, anchor: datetime, days: int) -> bool:
    return moment is not None and anchor <= moment < anchor + timedelta(days=days)


def count(
    rows: Iterable[Row],
    key: Callable[[Row], Hashable],
    measures: Mapping[str, Callable[[Row], bool]],
) -> dict[Hashable, Counter[str]]:
    """Per key, in how many rows each measure holds; 0 is kept."""
    counted: dict[Hashable, Counter[str]] = {}
    for row in rows:
        found = counted.setdefault(key(row), Counter(dict.fromkeys(measures, 0)))
        for name, holds in measures.items():
            found[name] += bool(holds(row))
    return counted


def ratio(
    name: str, hits: Callable[[Row], bool], anchors: Callable[[Row], bool]
) -> dict[str, Callable[[Row], bool]]:
    """The two measures of a ratio."""
    return {
        f"{name}_num": lambda row: anchors(row) and hits(row),
        f"{name}_den": anchors,
    }
