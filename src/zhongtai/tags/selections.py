"""Which facts of a person count, what is measured of them, and sequences of them."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime

from zhongtai.contracts.document import Section
from zhongtai.tags.comparisons import read_comparison, the_one_of, typed
from zhongtai.tags.facts import FACTS, Fact
from zhongtai.tags.wants import (
    OPERATORS,
    TAKES,
    TAKES_OF_A_COLUMN,
    Absent,
    Comparison,
    Filter,
    Measure,
    Sequence,
    Step,
    Window,
)

WINDOW_KEYS = ("within_days", "between_days_ago", "more_than_days_ago", "since", "until")
SEQUENCE_KEYS = ("steps", *WINDOW_KEYS, "each_within_days", "span_days")
_MEASURE_KEYS = ("of", "where", *WINDOW_KEYS, "per")


def read_measure(section: Section, *, take_key: str, extra: Collection[str] = ()) -> Measure:
    """A measure: `<take_key>: <take>`, `fact`, and optionally of, where, a window, per."""
    section.expect_keys((take_key, "fact", *_MEASURE_KEYS, *extra))
    take = section.choice(take_key, TAKES)
    fact = read_fact(section, "fact")
    of = read_column(section, "of", fact) if "of" in section else None
    if (take in TAKES_OF_A_COLUMN) != (of is not None):
        wants = "needs" if of is None else "takes no"
        raise section.error_at(take_key, f"{take!r} {wants} 'of' (a column of {fact.name})")
    if take in ("sum", "average") and of and fact.types[of] != "integer":
        raise section.error_at("of", f"{take!r} needs a number, {of} is a {fact.types[of]}")
    per = read_column(section, "per", fact) if "per" in section else None
    if per and take not in ("count", "sum"):
        raise section.error_at("per", "'per' goes with count and sum only")
    return Measure(fact.name, take, of, read_where(section, fact), read_window(section), per)


def measure_type(measure: Measure | Sequence) -> str:
    """The type of a measure's value: text, integer, number, boolean, date or time."""
    if isinstance(measure, Sequence):
        return {"completed": "boolean", "reached": "integer", "last_on": "date"}[measure.give]
    if measure.take in ("first", "last", "min", "max"):
        return FACTS[measure.fact].types[measure.of or ""]
    return "number" if measure.take == "average" else "integer"


def read_fact(section: Section, key: str) -> Fact:
    """The fact table named by `key`."""
    return FACTS[section.choice(key, FACTS)]


def read_column(section: Section, key: str, fact: Fact) -> str:
    """A column of the fact, named by `key`."""
    return section.choice(key, fact.types)


def read_where(section: Section, fact: Fact, key: str = "where") -> tuple[Filter, ...]:
    """`column: value`, `column: [values]` or `column: {operator: operand}`, in column order."""
    if key not in section:
        return ()
    where = section.section(key)
    where.expect_keys(fact.types)
    return tuple(
        Filter(column, _read_filter(where, column, fact.types[column]))
        for column in sorted(where.keys())
    )


def read_window(section: Section) -> Window:
    """The window of a section: days back from as-of, or local dates; always where none is said."""
    relative = [key for key in WINDOW_KEYS[:3] if key in section]
    absolute = [key for key in WINDOW_KEYS[3:] if key in section]
    if len(relative) > 1 or (relative and absolute):
        said = " and ".join(relative + absolute)
        raise section.error(f"one window only, found {said}; since and until go together")
    if "within_days" in section:
        return Window(from_days=read_days(section, "within_days"))
    if "more_than_days_ago" in section:
        return Window(to_days=read_days(section, "more_than_days_ago"))
    if "between_days_ago" in section:
        return _between(section)
    since, until = (_local_day(section, key) for key in WINDOW_KEYS[3:])
    if since and until and until < since:
        raise section.error_at("until", f"'until' {until} is before 'since' {since}")
    return Window(since=since, until=until)


def read_days(section: Section, key: str) -> int:
    """A number of days from 1."""
    days = section.integer(key, 0)
    if days < 1:
        raise section.error_at(key, f"{key!r} must be 1 or more")
    return days


def read_sequence(section: Section, give: str) -> Sequence:
    """`steps` in order, each a `did` or a `without`; and how far they may lie apart."""
    section.expect_keys(SEQUENCE_KEYS)
    default_gap = _optional_days(section, "each_within_days")
    steps: list[Step] = []
    absent: list[Absent] = []
    for_days = None
    for part in section.sections("steps"):
        if the_one_of(("did", "without"), part, "a step") == "without":
            if not steps:
                raise part.error("the first step is a 'did': nothing comes before it")
            part.expect_keys(("without", "where", "for_days"))
            fact = read_fact(part, "without")
            absent.append(Absent(fact.name, read_where(part, fact)))
            for_days = _for_days(part, for_days)
            continue
        if for_days is not None:
            raise part.error("'for_days' goes with a 'without' after the last step only")
        step = _read_step(part, default_gap if steps else None, tuple(absent))
        if not steps and step.gap_days is not None:
            raise part.error("the first step has no step before it: no 'within_days_of_previous'")
        steps.append(step)
        absent = []
    if len(steps) + bool(absent) < 2:
        raise section.error_at("steps", "a sequence needs at least two steps")
    if absent and give == "reached":
        raise section.error_at("steps", "how many steps were reached: no 'without' after the last")
    span = _optional_days(section, "span_days")
    return Sequence(tuple(steps), read_window(section), span, tuple(absent), for_days, give)


def _read_step(part: Section, default_gap: int | None, absent: tuple[Absent, ...]) -> Step:
    part.expect_keys(("did", "where", "within_days_of_previous"))
    fact = read_fact(part, "did")
    gap = _optional_days(part, "within_days_of_previous") or default_gap
    return replace(Step(fact.name, read_where(part, fact), gap), without=absent)


def _for_days(part: Section, before: int | None) -> int | None:
    days = _optional_days(part, "for_days")
    if days and before and days != before:
        raise part.error_at("for_days", f"one 'for_days' only, found {before} and {days}")
    return days or before


def _optional_days(section: Section, key: str) -> int | None:
    return read_days(section, key) if key in section else None


def _between(section: Section) -> Window:
    found = section.value("between_days_ago")
    if not (
        isinstance(found, list)
        and len(found) == 2
        and all(isinstance(d, int) and not isinstance(d, bool) and d >= 0 for d in found)
        and found[0] < found[1]
    ):
        raise section.error_at(
            "between_days_ago", "'between_days_ago' needs two numbers of days, the smaller first"
        )
    return Window(from_days=found[1], to_days=found[0] or None)


def _local_day(section: Section, key: str) -> date | None:
    if key not in section:
        return None
    day = section.value(key)
    if not isinstance(day, date) or isinstance(day, datetime):
        raise section.error_at(key, f"{key!r} is {day!r}, expected a date such as 2026-01-31")
    return day


def _read_filter(where: Section, column: str, of_type: str) -> Comparison:
    if where.holds_mapping(column):
        part = where.section(column)
        part.expect_keys(OPERATORS)
        return read_comparison(part, of_type, OPERATORS)
    value = where.value(column)
    if not isinstance(value, list):
        return Comparison("is", typed(where, column, value, of_type))
    if not value:
        raise where.error_at(column, f"{column!r} needs at least one value")
    return Comparison("in", tuple(typed(where, column, v, of_type) for v in value))
