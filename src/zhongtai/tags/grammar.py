"""The conditions of the rule grammar: YAML sections to conditions, with types checked."""

from zhongtai.contracts.document import Section
from zhongtai.tags.comparisons import (
    ALL_OPERATORS,
    PYTHON_TYPES,
    read_comparison,
    the_one_of,
    typed,
)
from zhongtai.tags.facts import PROFILE
from zhongtai.tags.model import (
    All,
    Any,
    Attribute,
    Condition,
    Layer,
    Layers,
    Measured,
    Not,
    OtherTag,
)
from zhongtai.tags.selections import (
    WINDOW_KEYS,
    measure_type,
    read_column,
    read_fact,
    read_measure,
    read_sequence,
    read_where,
    read_window,
)
from zhongtai.tags.wants import OPERATORS, Comparison, Measure

__all__ = ["PYTHON_TYPES", "measure_type", "read_condition", "read_layers", "read_measure"]

_CONDITIONS = (
    "all", "any", "not", "did", "did_not", "did_not_although_active", "did_in_order", "measure",
    "profile", "tag",
)  # fmt: skip


def read_condition(section: Section) -> Condition:
    """One condition; the section names exactly one of the known kinds.

    Raises ConfigurationError with file and line for whatever is not in the grammar.
    """
    kind = the_one_of(_CONDITIONS, section, "a condition")
    if kind in ("all", "any", "not"):
        return _joined(section, kind)
    if kind in ("did", "did_not", "did_not_although_active"):
        return _did(section, kind)
    if kind == "did_in_order":
        section.expect_keys((kind,))
        steps = read_sequence(section.section(kind), "completed")
        return Measured(steps, Comparison("is", True))
    if kind == "measure":
        measure = read_measure(section, take_key="measure", extra=ALL_OPERATORS)
        return Measured(measure, read_comparison(section, measure_type(measure)))
    if kind == "profile":
        return _attribute(section)
    section.expect_keys(("tag", *ALL_OPERATORS))
    return OtherTag(section.text("tag"), read_comparison(section, "any"))


def read_layers(section: Section, key: str, value_type: str, *, last_wins: bool) -> Layers:
    """The ordered `value`/`when` list under `key`, and `otherwise` for people in none of them."""
    layers = []
    for part in section.sections(key):
        part.expect_keys(("value", "when"))
        value = typed(part, "value", part.value("value"), value_type)
        layers.append(Layer(value, read_condition(part.section("when"))))
    if not layers:
        raise section.error_at(key, f"{key!r} needs at least one value")
    if len({layer.value for layer in layers}) < len(layers):
        raise section.error_at(key, f"{key!r} gives a value twice: join its conditions with any")
    otherwise = section.value("otherwise") if "otherwise" in section else None
    if otherwise is not None:
        otherwise = typed(section, "otherwise", otherwise, value_type)
    return Layers(tuple(layers), otherwise, last_wins)


def _joined(section: Section, kind: str) -> Condition:
    section.expect_keys((kind,))
    if kind == "not":
        return Not(read_condition(section.section(kind)))
    conditions = tuple(read_condition(part) for part in section.sections(kind))
    if not conditions:
        raise section.error_at(kind, f"{kind!r} needs at least one condition")
    return All(conditions) if kind == "all" else Any(conditions)


def _did(section: Section, kind: str) -> Condition:
    section.expect_keys((kind, "where", *WINDOW_KEYS, "per", "times"))
    fact = read_fact(section, kind)
    per = read_column(section, "per", fact) if "per" in section else None
    window = read_window(section)
    measure = Measure(fact.name, "count", None, read_where(section, fact), window, per)
    if kind != "did":
        if "times" in section or per:
            raise section.error(f"{kind} means never: it takes neither 'times' nor 'per'")
        never = Measured(measure, Comparison("is", 0))
        if kind == "did_not":
            return never
        if not measure.where:
            raise section.error(f"{kind} needs 'where': active is who has any other of {fact.name}")
        any_fact = Measure(fact.name, "count", window=window)
        return All((Measured(any_fact, Comparison("at_least", 1)), never))
    if "times" not in section:
        return Measured(measure, Comparison("at_least", 1))
    times = section.section("times")
    times.expect_keys(OPERATORS)
    return Measured(measure, read_comparison(times, "integer", OPERATORS))


def _attribute(section: Section) -> Attribute:
    section.expect_keys(("profile", *ALL_OPERATORS))
    name = section.choice("profile", PROFILE)
    comparison = read_comparison(section, PROFILE[name].type)
    allowed = ("known", *PROFILE[name].also_allowed)
    if PROFILE[name].is_personal and comparison.operator not in allowed:
        raise section.error_at(
            "profile",
            f"{name} is personal data: a tag may only ask whether it is {' or '.join(allowed)!r}",
        )
    return Attribute(name, comparison)
