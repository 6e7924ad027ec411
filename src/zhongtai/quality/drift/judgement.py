"""Measures against their limits and bands: what is out, by how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zhongtai.quality.drift.bands import Band, Day, learn_band
from zhongtai.quality.drift.history import History
from zhongtai.quality.drift.limits import Limits
from zhongtai.quality.drift.measures import Measures

LEAST_HISTORY = 10
# With fewer values than this there is no middle to be far from.
_LEAST_TO_WARN = 3
_SHOWN = 12


@dataclass(frozen=True)
class Deviation:
    """A measure outside its band."""

    measure: str
    value: float
    band: Band

    def __str__(self) -> str:
        """The measure in words; no value of a person is in it."""
        return (
            f"{self.measure} {self.value:.6g}, expected {self.band.low:.4g} to"
            f" {self.band.high:.4g} (lately {self.band.around:.6g})"
        )


def find_excesses(limits: Limits, measures: Measures) -> list[str]:
    """The measures beyond a limit that always holds."""
    return [
        f"{name} {measures[name]:.6g} (at most {most:g})"
        for name, most in limits.at_most.items()
        if measures.get(name, 0.0) > most
    ]


def find_deviations(
    limits: Limits, measures: Measures, history: History, day: Day, *, young: bool = False
) -> list[Deviation]:
    """The measures of a day that are outside their bands.

    With `young` those that have too little history for a band of their own, held against the
    widest that they may ever have, else those that have enough.
    """
    return [
        deviation
        for deviation in _list_deviations(limits, measures, history, day, young)
        if not deviation.band.holds(deviation.value)
    ]


def _list_deviations(
    limits: Limits, measures: Measures, history: History, day: Day, young: bool
) -> Iterator[Deviation]:
    for name, value in measures.items():
        rule, values = limits.rule_of(name), history.values.get(name, [])
        is_young = min(len(values), history.snapshots) < LEAST_HISTORY
        if rule and len(values) >= _LEAST_TO_WARN and is_young == young:
            yield Deviation(name, value, learn_band(rule, values, day, widest=young))


def say(deviations: Sequence[Deviation]) -> list[str]:
    """The deviations in words, those of the first dozen."""
    more = len(deviations) - _SHOWN
    return [str(one) for one in deviations[:_SHOWN]] + ([f"and {more} more"] if more > 0 else [])
