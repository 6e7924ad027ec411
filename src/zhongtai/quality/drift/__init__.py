"""Drift: identity and metrics against limits that always hold and bands learned from history."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.quality.drift.bands import Day
from zhongtai.quality.drift.drivers import Driver, find_drivers
from zhongtai.quality.drift.history import History, load_history, record, weekday_of
from zhongtai.quality.drift.judgement import (
    LEAST_HISTORY,
    Deviation,
    find_deviations,
    find_excesses,
    say,
)
from zhongtai.quality.drift.limits import Limits, load_limits
from zhongtai.quality.drift.measures import (
    FIXED,
    Measures,
    complete,
    is_after_holiday,
    list_changed_rules,
    measure_deliveries,
    measure_identity,
    measure_metrics,
    measure_rules,
)
from zhongtai.quality.drift.tags import measure_tags
from zhongtai.quality.drift.weekdays import find_odd_days
from zhongtai.quality.results import Check, Evidence, Finding, OwnCheck

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["CHECKS", "SUITE", "Comparison", "compare", "record"]

SUITE = "drift"


@dataclass(frozen=True)
class Comparison:
    """The measures of a candidate beside what they are held against."""

    limits: Limits
    measures: Measures
    history: History
    day: Day
    drivers: tuple[Driver, ...] = ()
    odd_days: tuple[Deviation, ...] = ()

    @property
    def excesses(self) -> list[str]:
        """What is beyond a limit that always holds."""
        return find_excesses(self.limits, self.measures)

    @property
    def causes(self) -> list[str]:
        """Where to look first: settings that changed, and identifiers that drive the change."""
        rules = list_changed_rules(self.measures, self.history.last)
        told = [f"changed settings of identifiers: {', '.join(rules)}"] if rules else []
        return told + [f"driven by {driver}" for driver in self.drivers]

    def deviations(self, *, young: bool = False) -> list[Deviation]:
        """What is outside its band; with `young` what has no band yet and is far off even so."""
        return find_deviations(self.limits, self.measures, self.history, self.day, young=young)


def compare(evidence: Evidence) -> Comparison:
    """Measure the candidate and gather what was published before it.

    Raises ConfigurationError for limits that cannot be read.
    """
    limits = load_limits(evidence.settings, FIXED)
    history = load_history(evidence.ledger, evidence.build_run_id)
    warehouse = evidence.warehouse
    measures = {
        **measure_identity(warehouse, _previous_map(evidence, history), evidence.build_run_id),
        **measure_metrics(warehouse),
        **measure_tags(warehouse),
        **measure_deliveries(warehouse, history.last),
        **measure_rules(warehouse),
    }
    found = Comparison(
        limits,
        complete(measures, history.last),
        history,
        _day_of(warehouse),
        odd_days=tuple(find_odd_days(warehouse, limits)),
    )
    if found.excesses or found.deviations():
        return replace(found, drivers=tuple(find_drivers(warehouse)))
    return found


def _day_of(warehouse: "DuckDBPyConnection") -> Day:
    row = warehouse.execute("select as_of at time zone 'UTC' from meta.run_context").fetchone()
    return Day(weekday_of(row[0]) if row else 0, is_after_holiday(warehouse))


def _previous_map(evidence: Evidence, history: History) -> Path | None:
    """The map that readers see, or saw before the candidate where it is the one they see."""
    if history.last_id is None:
        return None
    file = evidence.settings.path("identity", history.last_id, "record_map.parquet")
    # of the snapshot that readers see it has to be there; an older one may have made room
    return file if history.is_shown or file.exists() else None


def _find_beyond_limits(evidence: Evidence) -> Finding:
    found = evidence.drift
    if not found.limits.at_most:
        return Finding(False, "no limits are declared")
    shown = [
        f"{name} {found.measures[name]:.6g} (at most {most:g})"
        for name, most in found.limits.at_most.items()
        if name in found.measures
    ]
    if found.excesses:
        return Finding(False, "; ".join([*found.excesses, *found.causes]))
    return Finding(True, "; ".join(shown))


def _find_out_of_band(evidence: Evidence) -> Finding:
    found = evidence.drift
    seen = found.history.snapshots
    if seen < LEAST_HISTORY:
        return Finding(True, f"{seen} of {LEAST_HISTORY} snapshots: too few to learn a band from")
    out = found.deviations()
    told = [*say(out), *found.causes] if out else []
    return Finding(not out, "; ".join([f"bands of {seen} snapshots", *told]))


def _find_odd_days(evidence: Evidence) -> Finding:
    found = evidence.drift
    if found.history.snapshots < LEAST_HISTORY:
        return Finding(True, f"{found.history.snapshots} of {LEAST_HISTORY} snapshots: only warns")
    return Finding(not found.odd_days, "; ".join(say(found.odd_days)) or "as on their weekday")


def _find_jumps(evidence: Evidence) -> Finding:
    found = evidence.drift
    jumps = found.deviations(young=True)
    if found.history.snapshots < LEAST_HISTORY:
        jumps += found.odd_days
    near = f"{len(found.measures)} measures, those without a band near their history"
    return Finding(not jumps, "; ".join(say(jumps)) or near)


CHECKS = (
    OwnCheck(
        Check(
            SUITE,
            "identity_is_within_its_limits",
            "critical",
            "a person of thousands of records is several people; a record whose id changed without"
            " a merge or split lost its person",
        ),
        _find_beyond_limits,
    ),
    OwnCheck(
        Check(
            SUITE,
            "measures_are_within_their_bands",
            "critical",
            "numbers far from all history are a fault far more often than news",
        ),
        _find_out_of_band,
    ),
    OwnCheck(
        Check(
            SUITE,
            "days_are_like_their_weekdays",
            "critical",
            "a Tuesday without leads, or with ten times those of any other, is a source that is"
            " lost or came twice",
        ),
        _find_odd_days,
    ),
    OwnCheck(
        Check(
            SUITE,
            "measures_are_near_the_last_snapshot",
            "warning",
            "a jump deserves a look, also while there is too little history for a band",
        ),
        _find_jumps,
    ),
)
