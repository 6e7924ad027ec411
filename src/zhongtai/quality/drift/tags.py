"""Measures of the tags of a candidate, each under the version of its rule.

A rule that changed begins a history of its own: that it changed is registered and meant, and a
preview shows what it changes. What moves while the rule stays is drift.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Shares of fewer persons than this say nothing; so a small world raises no alarm.
_ENOUGH = 500

_MEASURE = """
select
    tag_id || '@' || tag_version,
    any_value(coverage) filter (where coverage_den >= $enough),
    any_value(stability_index) filter (where coverage_den >= $enough),
    any_value(churn) filter (where churn_den >= $enough),
from metrics.metrics_tag_daily
where date = (select max(date) from metrics.metrics_tag_daily)
group by tag_id, tag_version
order by all
"""
_NAMES = ("tags.coverage", "tags.stability", "tags.churn")


def measure_tags(connection: "DuckDBPyConnection") -> dict[str, float]:
    """Coverage, stability index and churn of each tag, where enough persons are behind them."""
    found = {}
    for tag, *values in connection.execute(_MEASURE, {"enough": _ENOUGH}).fetchall():
        for name, value in zip(_NAMES, values, strict=True):
            if value is not None:
                found[f"{name}.{tag}"] = float(value)
    return found
