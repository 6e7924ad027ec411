"""Working time between two instants, one day after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

CHINA = timedelta(hours=8)
OPENS, CLOSES = timedelta(hours=9), timedelta(hours=21)
Hours = tuple[timedelta, timedelta] | None  # since midnight; None: closed


@dataclass(frozen=True)
class Calendar:
    """09:00 to 21:00 every day, less holidays; a dealer's exception beats both."""

    holidays: frozenset[date] = frozenset()
    exceptions: Mapping[tuple[str, date], Hours] = field(default_factory=dict)

    def hours(self, dealer: str | None, day: date) -> Hours:
        if dealer is not None and (dealer, day) in self.exceptions:
            return self.exceptions[dealer, day]
        return None if day in self.holidays else (OPENS, CLOSES)

    def working_seconds(self, start: datetime, end: datetime, dealer: str | None) -> int:
        """Whole working seconds from `start` to `end`, both naive UTC; 0 when end is earlier."""
        start = (start + CHINA).replace(microsecond=0)
        end = (end + CHINA).replace(microsecond=0)
        total, day = 0, start.date()
        while day <= end.date():
            hours = self.hours(dealer, day)
            if hours is not None:
                midnight = datetime.combine(day, time.min)
                opened = max(midnight + hours[0], start)
                closed = min(midnight + hours[1], end)
                total += max(int((closed - opened).total_seconds()), 0)
            day += timedelta(days=1)
        return total
