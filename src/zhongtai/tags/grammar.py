"""The rule grammar: YAML sections to conditions, measures and comparisons, with types checked."""

import math
from collections.abc import Collection
from datetime import date
from typing import Any as Anything
from typing import cast

from zhongtai.contracts.document import Section
from zhongtai.tags.facts import FACTS, PROFILE, Fact
from zhongtai.tags.model import (
    OPERATORS,
    TAKES,
    TAKES_OF_A_COLUMN,
    TIES,
    All,
    Any,
    Attribute,
    Band,
    Banded,
    Comparison,
    Condition,
    Filter,
    Layer,
    Layers,
    Measure,
    Measured,
    Not,
    OtherTag,
    Preference,
    Scalar,
)

_CONDITIONS = ("all", "any", "not", "did", "did_not", "measure", "profile", "tag")
_LIST_OPERATORS = ("in", "not_in")
_NUMBER_OPERATORS = ("at_least", "at_most", "at_most_if_any", "more_than", "less_than", "between")
_MEASURE_KEYS = ("of", "where", "within_days", "per")
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (date,),
    "time": (date,),
}


def read_condition(section: Section) -> Condition:
    """One condition; the section names exactly one of the known kinds.

    Raises ConfigurationError with file and line for whatever is not in the grammar.
    """
    kind = _the_one_of(_CONDITIONS, section, "a condition")
    match kind:
        case "all" | "any":
            section.expect_keys((kind,))
            conditions = tuple(read_condition(part) for part in section.sections(kind))
            if not conditions:
                raise section.error_at(kind, f"{kind!r} needs at least one condition")
            return All(conditions) if kind == "all" else Any(conditions)
        case "not":
            section.expect_keys((kind,))
            return Not(read_condition(section.section(kind)))
        case "did" | "did_not":
            return _did(section, kind)
        case "measure":
            measure = read_measure(section, take_key="measure", extra=OPERATORS)
            return Measured(measure, read_comparison(section, measure_type(measure)))
        case "profile":
            return _attribute(section)
    section.expect_keys(("tag", *OPERATORS))
    return OtherTag(section.text("tag"), read_comparison(section, "any"))


def read_measure(section: Section, *, take_key: str, extra: Collection[str] = ()) -> Measure:
    """A measure: `<take_key>: <take>`, `fact`, and optionally of, where, within_days, per."""
    section.expect_keys((take_key, "fact", *_MEASURE_KEYS, *extra))
    take = section.choice(take_key, TAKES)
    fact = _fact(section, "fact")
    of = _column(section, "of", fact) if "of" in section else None
    if (take in TAKES_OF_A_COLUMN) != (of is not None):
        wants = "needs" if of is None else "takes no"
        raise section.error_at(take_key, f"{take!r} {wants} 'of' (a column of {fact.name})")
    if take in ("sum", "average") and of and fact.columns[of] != "integer":
        raise section.error_at("of", f"{take!r} needs a number, {of} is a {fact.columns[of]}")
    per = _column(section, "per", fact) if "per" in section else None
    if per and take not in ("count", "sum"):
        raise section.error_at("per", "'per' goes with count and sum only")
    return Measure(fact.name, take, of, _where(section, fact), _days(section), per)


def read_comparison(section: Section, of_type: str) -> Comparison:
    """The one operator of a section and its operand, which must be of the type compared with."""
    operator = _the_one_of(OPERATORS, section, "a comparison")
    operand = section.value(operator)
    if operator in _NUMBER_OPERATORS and of_type in ("text", "boolean"):
        raise section.error_at(operator, f"{operator!r} needs numbers or dates, not a {of_type}")
    if operator == "known":
        return Comparison(operator, _typed(section, operator, operand, "boolean"))
    if operator in _LIST_OPERATORS or operator == "between":
        if not isinstance(operand, list) or not operand:
            raise section.error_at(operator, f"{operator!r} needs a list")
        if operator == "between" and len(operand) != 2:
            raise section.error_at(operator, "'between' needs two values, both included")
        return Comparison(operator, tuple(_typed(section, operator, v, of_type) for v in operand))
    return Comparison(operator, _typed(section, operator, operand, of_type))


def read_layers(section: Section, key: str, value_type: str, *, last_wins: bool) -> Layers:
    """The ordered `value`/`when` list under `key`, and `otherwise` for people in none of them."""
    layers = []
    for part in section.sections(key):
        part.expect_keys(("value", "when"))
        value = _typed(part, "value", part.value("value"), value_type)
        layers.append(Layer(value, read_condition(part.section("when"))))
    if not layers:
        raise section.error_at(key, f"{key!r} needs at least one value")
    if len({layer.value for layer in layers}) < len(layers):
        raise section.error_at(key, f"{key!r} gives a value twice: join its conditions with any")
    otherwise = section.value("otherwise") if "otherwise" in section else None
    if otherwise is not None:
        otherwise = _typed(section, "otherwise", otherwise, value_type)
    return Layers(tuple(layers), otherwise, last_wins)


def read_banded(section: Section) -> Banded:
    """A measure and the bands that cut it, from the lowest up."""
    measure = read_measure(section.section("measure"), take_key="take")
    bands: list[Band] = []
    for part in section.sections("bands"):
        part.expect_keys(("value", "at_most"))
        limit = part.value("at_most") if "at_most" in part else None
        if limit is not None:
            limit = float(str(_typed(part, "at_most", limit, "number")))
        below = bands[-1].at_most if bands else -math.inf
        if below is None or (limit is not None and limit <= below):
            raise part.error("bands go from the lowest up; only the last may lack 'at_most'")
        bands.append(Band(part.text("value"), limit))
    if bands and measure_type(measure) not in ("integer", "number"):
        raise section.error_at("bands", "bands need a measure that is a number")
    otherwise = section.text("otherwise") if "otherwise" in section else None
    return Banded(measure, tuple(bands), otherwise)


def read_preference(section: Section) -> Preference:
    """The most frequent value of a column, with the rule for ties said in so many words."""
    section.expect_keys(("fact", "of", "by", "where", "within_days", "at_least", "tie"))
    fact = _fact(section, "fact")
    by = _column(section, "by", fact) if "by" in section else None
    if by and fact.columns[by] != "integer":
        raise section.error_at("by", f"{by} is a {fact.columns[by]}, a sum needs a number")
    at_least = section.integer("at_least", 1)
    if at_least < 1:
        raise section.error_at("at_least", "'at_least' must be 1 or more")
    return Preference(
        fact.name,
        _column(section, "of", fact),
        by,
        _where(section, fact),
        _days(section),
        at_least,
        section.choice("tie", TIES),
    )


def measure_type(measure: Measure) -> str:
    """The type of a measure's value: text, integer, number, boolean, date or time."""
    if measure.take in ("first", "last", "min", "max"):
        return FACTS[measure.fact].columns[measure.of or ""]
    return "number" if measure.take == "average" else "integer"


def _did(section: Section, kind: str) -> Condition:
    section.expect_keys((kind, "where", "within_days", "per", "times"))
    fact = _fact(section, kind)
    per = _column(section, "per", fact) if "per" in section else None
    measure = Measure(fact.name, "count", None, _where(section, fact), _days(section), per)
    if kind == "did_not":
        if "times" in section or per:
            raise section.error("did_not means never: it takes neither 'times' nor 'per'")
        return Measured(measure, Comparison("is", 0))
    if "times" not in section:
        return Measured(measure, Comparison("at_least", 1))
    times = section.section("times")
    times.expect_keys(OPERATORS)
    return Measured(measure, read_comparison(times, "integer"))


def _attribute(section: Section) -> Attribute:
    section.expect_keys(("profile", *OPERATORS))
    name = section.choice("profile", PROFILE)
    comparison = read_comparison(section, PROFILE[name].type)
    if PROFILE[name].is_personal and comparison.operator != "known":
        raise section.error_at(
            "profile", f"{name} is personal data: a tag may only ask whether it is 'known'"
        )
    return Attribute(name, comparison)


def _where(section: Section, fact: Fact) -> tuple[Filter, ...]:
    """`column: value`, `column: [values]` or `column: {operator: operand}`, in column order."""
    if "where" not in section:
        return ()
    where = section.section("where")
    where.expect_keys(fact.columns)
    filters = []
    for column in sorted(where.keys()):
        of_type = fact.columns[column]
        if where.holds_mapping(column):
            part = where.section(column)
            part.expect_keys(OPERATORS)
            comparison = read_comparison(part, of_type)
        else:
            value = where.value(column)
            values = value if isinstance(value, list) else [value]
            operands = tuple(_typed(where, column, v, of_type) for v in values)
            comparison = (
                Comparison("in", operands)
                if isinstance(value, list)
                else Comparison("is", operands[0])
            )
        filters.append(Filter(column, comparison))
    return tuple(filters)


def _fact(section: Section, key: str) -> Fact:
    return FACTS[section.choice(key, FACTS)]


def _column(section: Section, key: str, fact: Fact) -> str:
    return section.choice(key, fact.columns)


def _days(section: Section) -> int | None:
    if "within_days" not in section:
        return None
    days = section.integer("within_days", 0)
    if days < 1:
        raise section.error_at("within_days", "'within_days' must be 1 or more")
    return days


def _the_one_of(known: Collection[str], section: Section, what: str) -> str:
    found = [key for key in section.keys() if key in known]  # noqa: SIM118  # a Section is no dict
    if len(found) != 1:
        said = " and ".join(found) or ", ".join(section.keys()) or "nothing"
        raise section.error(f"expected {what} with exactly one of {', '.join(known)}; found {said}")
    return found[0]


def _typed(section: Section, key: str, value: Anything, of_type: str) -> Scalar:
    """The value, if it is of the type asked for; `any` takes every scalar."""
    allowed = PYTHON_TYPES.get(of_type, (str, int, float, bool, date))
    is_flag_for_number = isinstance(value, bool) and bool not in allowed
    if not isinstance(value, allowed) or is_flag_for_number:
        article = "an" if of_type == "integer" else "a"
        raise section.error_at(key, f"{key!r} is {value!r}, expected {article} {of_type}")
    return cast(Scalar, value)
