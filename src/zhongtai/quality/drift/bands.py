"""The band that the next value of a measure is expected in, learned from its history."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

Compare = Literal["last", "history"]
Scale = Literal["ratio", "difference"]
Side = Literal["both", "above"]

# A robust deviation of what was seen; a normal distribution's is 1.48 times its median deviation.
_DEVIATIONS = 6.0
_SIGMA_OF_MAD = 1.4826
# Of ten values one at each end may be a fault that somebody released.
_ODD_SHARE = 0.1
# A week: with fewer values of one weekday than this, all days are looked at.
_ENOUGH_OF_A_WEEKDAY = 4
_LATELY = 7


@dataclass(frozen=True)
class Rule:
    """How far a measure may go.

    `compare`: "last" for levels, whose steps from one snapshot to the next are learned, "history"
    for what each snapshot brings anew, learned by weekday. `scale`: "ratio" gives the widths as
    factors, "difference" as differences. The band is never narrower than `least` nor wider than
    `most`, and a difference of up to `ignore` is never drift. With `side` "above" nothing
    is too low; where it `may_rest`, nothing is on a public holiday.
    """

    compare: Compare
    scale: Scale
    least: float
    most: float
    ignore: float = 0.0
    side: Side = "both"
    may_rest: bool = False

    def spread(self, value: float) -> float:
        """The value on the scale on which widths are added."""
        return math.log1p(max(value, 0.0)) if self.scale == "ratio" else value

    def gather(self, value: float) -> float:
        """A value of that scale as it was."""
        return math.expm1(min(value, 700.0)) if self.scale == "ratio" else value

    def width(self, declared: float) -> float:
        """A declared width on that scale."""
        return math.log(declared) if self.scale == "ratio" else declared


@dataclass(frozen=True)
class Seen:
    """The value of a measure in a published snapshot, and its weekday (0 is Monday)."""

    value: float
    weekday: int


@dataclass(frozen=True)
class Day:
    """What a snapshot is judged by: its weekday, and whether it may tell of a public holiday."""

    weekday: int
    is_holiday: bool = False


@dataclass(frozen=True)
class Band:
    """What is expected, both ends included, and the value that it lies around."""

    low: float
    high: float
    around: float

    def holds(self, value: float) -> bool:
        """Whether the value is expected."""
        return self.low <= value <= self.high


def learn_band(rule: Rule, history: Sequence[Seen], day: Day, *, widest: bool = False) -> Band:
    """The band for a value of `day` after `history`, the newest first and not empty.

    With `widest` nothing is learned but the middle: the band is as wide as it may ever be.
    """
    if rule.compare == "last":
        values = [rule.spread(one.value) for one in history]
        steps = [new - old for new, old in pairwise(values)] or [0.0]
        low, high = _reach(rule, steps, widest=widest, around=0.0)
        low, high = values[0] + low, values[0] + high
        around = history[0].value
        # what was left lately may be returned to
        expected = [around, *(one.value for one in history[:_LATELY])]
    else:
        alike = [one for one in history if one.weekday == day.weekday]
        is_known = len(alike) >= _ENOUGH_OF_A_WEEKDAY
        chosen = alike if is_known else history
        values = [rule.spread(one.value) for one in chosen]
        low, high = _reach(rule, values, widest=widest, around=median(values))
        around = median(one.value for one in chosen)
        # a weekday of its own kind (a call centre that rests) may come again before it is known
        likely = [one.value for one in alike] or [0.0 if rule.scale == "ratio" else around]
        expected = [around, *([] if is_known else likely)]
    # what is counted is never below 0
    lowest = 0.0 if rule.scale == "ratio" else -math.inf
    return Band(
        lowest
        if rule.side == "above" or (rule.may_rest and day.is_holiday)
        else max(min(rule.gather(low), around - rule.ignore, *expected), lowest),
        max(rule.gather(high), around + rule.ignore, *expected),
        around,
    )


def _reach(
    rule: Rule, values: Sequence[float], *, widest: bool, around: float
) -> tuple[float, float]:
    """From where to where the values go, their middle and `around` included."""
    least, most = rule.width(rule.least), rule.width(rule.most)
    middle = median(values)
    deviation = median(abs(value - middle) for value in values) * _SIGMA_OF_MAD * _DEVIATIONS
    half = most if widest else min(max(deviation, least), most)
    low, high = min(middle, around) - half, max(middle, around) + half
    if not widest:
        # two kinds of days leave no deviation from the commoner one, so what was seen counts too
        ordered = sorted(values)
        odd = math.ceil(_ODD_SHARE * len(ordered)) if len(ordered) > _ENOUGH_OF_A_WEEKDAY else 0
        usual = ordered[odd : len(ordered) - odd] or [middle]
        low = max(min(low, usual[0] - least), middle - most)
        high = min(max(high, usual[-1] + least), middle + most)
    return min(low, around), max(high, around)
