"""The days a world covers, the instants of its exports, and its waves."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import MISSING, Array

DAY = 86_400
LOCAL = 8 * 3600  # Asia/Shanghai has had no summer time since 1991
DEFAULT_START = date(2026, 3, 2)


@dataclass(frozen=True)
class Timeline:
    """`days` local days from `start`; times are UTC seconds."""

    start: date
    days: int
    waves: int

    @property
    def begin(self) -> int:
        """The first instant."""
        return local_midnight(self.start)

    @property
    def end(self) -> int:
        """The instant after the last day: the as-of of the truth."""
        return self.begin + self.days * DAY

    @property
    def as_of(self) -> datetime:
        """`end` as an aware time."""
        return datetime.fromtimestamp(self.end, tz=UTC)

    def day_of(self, times: Array) -> Array:
        """Return the day of each time: 0 for all history, -1 for what lies beyond the end."""
        day = np.clip((times - self.begin) // DAY, 0, None)
        return np.where((times == MISSING) | (times >= self.end), -1, day)

    def batch_of(self, times: Array, cadence: int) -> Array:
        """Return the day of the export that holds each time, when exports run every `cadence`."""
        day = self.day_of(times)
        batch = np.minimum((day // cadence + 1) * cadence, self.days) - 1
        return np.where(day < 0, -1, batch)

    def exported_at(self, batch: Array | int) -> Array:
        """Return the instant of the export of a day: its last second."""
        return np.asarray(self.begin + (np.asarray(batch) + 1) * DAY - 1)

    def wave_of(self, day: int) -> int:
        """Return the wave (from 1) that a day's deliveries belong to."""
        return min(day * self.waves // self.days, self.waves - 1) + 1

    def date_of(self, day: int) -> date:
        """Return the local date of a day."""
        return self.start + timedelta(days=int(day))


def local_midnight(day: date) -> int:
    """Return the UTC seconds of a date's midnight in Asia/Shanghai."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - LOCAL


def spell_local(times: Array, pattern: str) -> pa.Array:
    """Return local times in a strftime pattern; null where the time is missing."""
    shifted = pa.array(np.asarray(times, dtype=np.int64) + LOCAL, mask=np.asarray(times) == MISSING)
    return pc.strftime(shifted.cast(pa.timestamp("s")), format=pattern)


def at_hours(times: Array, first: int, last: int, draws: Array) -> Array:
    """Return the same local dates at a drawn minute between the hours `first` and `last`."""
    midnight = (times + LOCAL) // DAY * DAY - LOCAL
    minute = first * 60 + (draws * (last - first) * 60).astype(np.int64)
    return np.where(times == MISSING, MISSING, midnight + minute * 60)
