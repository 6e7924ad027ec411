"""What is measured, in words: for the documentation of the models and of the tags."""

from zhongtai.tags.expressions import comparison_sql
from zhongtai.tags.wants import (
    Absent,
    Distribution,
    Filter,
    Measure,
    Preference,
    Query,
    Score,
    Sequence,
    Step,
    ValueList,
    Wanted,
    Window,
)

_WHAT = {
    "count": "How often",
    "active_days": "On how many local days",
    "distinct": "How many different {of}",
    "sum": "Sum of {of}",
    "min": "Smallest {of}",
    "max": "Largest {of}",
    "average": "Mean {of}",
    "first": "Earliest {of}",
    "last": "Latest {of}",
    "days_since_first": "Local days from the first to as-of, kept as that day, of what happened",
    "days_since_last": "Local days from the last to as-of, kept as that day, of what happened",
}
_GIVES = {"completed": "Whether", "reached": "How many steps of", "last_on": "Local day when last"}


def describe(wanted: Wanted) -> str:
    """What is measured, in words."""
    if isinstance(wanted, Query):
        return "The value that the declared select returns"
    if isinstance(wanted, Score):
        return f"The {wanted.give} that the model {wanted.model} gives the person"
    if isinstance(wanted, Sequence):
        return _sequence(wanted)
    chosen = f" in {wanted.fact}{_where(wanted.where)}{_window(wanted.window)}"
    if isinstance(wanted, Measure):
        per = f", the largest over all {wanted.per}" if wanted.per else ""
        return f"{_WHAT[wanted.take].format(of=wanted.of)}{chosen}{per}"
    return _spread(wanted, chosen)


def _spread(wanted: Preference | ValueList | Distribution, chosen: str) -> str:
    score = f"sum of {wanted.by}" if wanted.by else "number of rows"
    if isinstance(wanted, Preference):
        tie = "the latest" if wanted.tie == "latest" else "the first in the alphabet"
        return (
            f"The {wanted.of} with the largest {score}{chosen};"
            f" at least {wanted.at_least}, of equals {tie}"
        )
    top = f", the {wanted.top} largest" if wanted.top else ""
    if isinstance(wanted, ValueList):
        return f"Every {wanted.of} with a {score} of at least {wanted.at_least}{chosen}{top}"
    return f"Share of each {wanted.of} in the {score}{chosen}{top}; at least {wanted.at_least}"


def _sequence(sequence: Sequence) -> str:
    steps = []
    for step in sequence.steps:
        gap = f" within {step.gap_days} days" if step.gap_days else ""
        steps.append(f"{_without(step.without)}{_fact(step)}{gap}")
    end = _without(sequence.without)
    end += f" for {sequence.for_days} days" if sequence.for_days else ""
    span = f", all in {sequence.span_days} days" if sequence.span_days else ""
    told = " then ".join(steps) + (f" then {end}" if end else "")
    return f"{_GIVES[sequence.give]} {told}{span}{_window(sequence.window)}"


def _without(parts: tuple[Absent, ...]) -> str:
    return "".join(f"without {_fact(part)} " for part in parts)


def _fact(part: Step | Absent) -> str:
    return f"{part.fact}{_where(part.where)}"


def _where(where: tuple[Filter, ...]) -> str:
    conditions = [comparison_sql(f.column, f.comparison) for f in where]
    return f", where {' and '.join(conditions)}," if conditions else ""


def _window(window: Window) -> str:
    since, until = window.since, window.until
    words = [
        f" in the {window.from_days} days before as-of" if window.from_days else "",
        f" more than {window.to_days} days ago" if window.to_days else "",
        f" since {since}" if since else "",
        f" until {until}" if until else "",
    ]
    return "".join(words)
