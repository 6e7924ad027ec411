"""Drift: identity and metrics against limits that always hold and bands learned from history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import psycopg

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.quality.results import Check, Evidence, Finding, OwnCheck
from zhongtai.settings import Settings

SUITE = "drift"
_HINT = "expectations/drift.yml holds the limits, each with its reason"
_LEARNED_FROM = 30
_LEAST_HISTORY = 10
# Bands: a robust deviation of the values seen, but never tighter than a share of their median.
_DEVIATIONS = 6.0
_SIGMA_OF_MAD = 1.4826


@dataclass(frozen=True)
class Limits:
    """The declared limits: `at_most` by measure, and how far a measure may be from its history.

    `widest_change` is a share of it; a difference of up to `smallest_change` is never drift.
    """

    at_most: Mapping[str, float]
    widest_change: float
    smallest_change: float

    def room(self, around: float) -> float:
        """How far from `around` a value may be."""
        return max(self.widest_change * abs(around), self.smallest_change)


def load_limits(settings: Settings) -> Limits:
    """Read expectations/drift.yml. Raises ConfigurationError with file and line."""
    file = settings.project_dir / "expectations" / "drift.yml"
    if not file.exists():
        raise ConfigurationError(f"{file} is missing", hint=_HINT)
    top = Section.of_file(file, "the limits", _HINT)
    top.expect_keys(("limits", "widest_change", "smallest_change"))
    at_most = {}
    for part in top.sections("limits"):
        part.expect_keys(("measure", "at_most", "because"))
        part.text("because")
        measure = part.choice("measure", MEASURE_NAMES)
        at_most[measure] = float(part.value("at_most"))
    return Limits(at_most, float(top.value("widest_change")), float(top.value("smallest_change")))


# Measures of a candidate: name -> SQL over it that gives one number.
MEASURES: Mapping[str, str] = {
    "identity.persons": "select count(*) from profiles.dim_users",
    "identity.records": "select count(*) from profiles.bridge_user_records",
    "identity.largest_person_records": (
        "select max(n)"
        " from (select count(*) as n from profiles.bridge_user_records group by one_id)"
    ),
    "identity.largest_person_identifiers": (
        "select max(n) from (select count(distinct identifier_value) as n"
        " from profiles.bridge_user_identifiers where not is_shared group by one_id)"
    ),
    # of a handful of persons, one is a large share: the denominator is at least 100
    "identity.split_share": (
        "select cast((select count(*) from identity.changes as changes, meta.run_context as run"
        " where changes.run_id = run.run_id and change in ('split', 'reassign')) as double)"
        " / greatest((select count(*) from profiles.dim_users), 100)"
    ),
    "metrics.leads_created": "select sum(leads_created) from metrics.metrics_lead_funnel_daily",
    "metrics.leads_valid": "select sum(leads_valid) from metrics.metrics_lead_funnel_daily",
    "metrics.complaints": "select sum(accepted) from metrics.metrics_complaint_daily",
    "metrics.tags_held": "select sum(users) from metrics.metrics_tag_daily",
    "metrics.rows_loaded": "select sum(rows_loaded) from metrics.meta_ledger",
}
_REBOUND = "identity.rebound_share"
MEASURE_NAMES = (*MEASURES, _REBOUND)


def measure(evidence: Evidence) -> dict[str, float]:
    """The measures of the candidate by name; what the SQL gives as NULL is 0."""
    found = {}
    for name, query in MEASURES.items():
        row = evidence.warehouse.execute(query).fetchone()
        found[name] = float(row[0] or 0) if row else 0.0
    found[_REBOUND] = _measure_rebound(evidence)
    return found


def _measure_rebound(evidence: Evidence) -> float:
    """Share of the records known before whose person is another now, merges followed."""
    row = evidence.ledger.execute(
        "select snapshot_id from ledger.snapshots where state = 'published'"
    ).fetchone()
    if row is None:
        return 0.0
    known = evidence.settings.path("identity", row[0], "record_map.parquet")
    found = evidence.warehouse.execute(
        "select count(*) filter (where now.one_id <> coalesce(moved.one_id, before.one_id))"
        " / greatest(count(*), 100) from read_parquet(?) as before"
        " join identity.record_map as now using (source, entity, record_key)"
        " left join identity.redirects as moved on moved.retired_one_id = before.one_id",
        [str(known)],
    ).fetchone()
    return float(found[0]) if found else 0.0


def record(connection: psycopg.Connection, run_id: str, measures: Mapping[str, float]) -> None:
    """Keep the measures of a run: once it is published, later runs learn from them."""
    connection.execute("delete from ledger.gate_measures where run_id = %s", [run_id])
    for name, value in measures.items():
        connection.execute(
            "insert into ledger.gate_measures (run_id, measure, value) values (%s, %s, %s)",
            [run_id, name, value],
        )


def load_history(connection: psycopg.Connection) -> dict[str, list[float]]:
    """The values of every measure over the last published snapshots, the newest first."""
    rows = connection.execute(
        "with shown as (select run_id, published_at from ledger.snapshots"
        " where state in ('published', 'superseded') order by published_at desc limit %s)"
        " select m.measure, m.value from ledger.gate_measures m join shown s using (run_id)"
        " order by s.published_at desc",
        [_LEARNED_FROM],
    ).fetchall()
    history: dict[str, list[float]] = {}
    for name, value in rows:
        history.setdefault(name, []).append(value)
    return history


def learned_band(values: Sequence[float], limits: Limits) -> tuple[float, float]:
    """The band around the median that a next value is expected in."""
    middle = median(values)
    spread = median(abs(value - middle) for value in values) * _SIGMA_OF_MAD
    half = max(_DEVIATIONS * spread, limits.room(middle))
    return middle - half, middle + half


def _find_beyond_limits(evidence: Evidence) -> Finding:
    limits = load_limits(evidence.settings)
    measures = measure(evidence)
    shown = [
        f"{name} {measures[name]:g} (at most {most:g})" for name, most in limits.at_most.items()
    ]
    is_good = all(measures[name] <= most for name, most in limits.at_most.items())
    return Finding(is_good and bool(shown), "; ".join(shown) or "no limits are declared")


def _find_out_of_band(evidence: Evidence) -> Finding:
    limits = load_limits(evidence.settings)
    history = load_history(evidence.ledger)
    seen = max((len(values) for values in history.values()), default=0)
    if seen < _LEAST_HISTORY:
        return Finding(True, f"{seen} of {_LEAST_HISTORY} snapshots: too few to learn a band from")
    out = []
    for name, value in measure(evidence).items():
        values = history.get(name, [])
        if len(values) < _LEAST_HISTORY:
            continue
        low, high = learned_band(values, limits)
        if not low <= value <= high:
            out.append(f"{name} {value:g}, expected {low:g} to {high:g}")
    return Finding(not out, "; ".join([f"bands of {seen} snapshots", *out]))


def _find_jumps(evidence: Evidence) -> Finding:
    limits = load_limits(evidence.settings)
    history = load_history(evidence.ledger)
    jumps = []
    for name, value in measure(evidence).items():
        last = next(iter(history.get(name, [])), None)
        if last is not None and abs(value - last) > limits.room(last):
            jumps.append(f"{name} {last:g} → {value:g}")
    return Finding(not jumps, "; ".join(jumps) or f"{len(history)} measures near the last snapshot")


CHECKS = (
    OwnCheck(
        Check(
            SUITE,
            "identity_is_within_its_limits",
            "critical",
            "a person of thousands of records is several people; wholesale splits are a fault",
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
            "measures_are_near_the_last_snapshot",
            "warning",
            "a jump deserves a look, also while there is too little history for a band",
        ),
        _find_jumps,
    ),
)
