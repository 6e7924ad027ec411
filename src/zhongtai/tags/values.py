"""The value of each kind of tag as SQL, over one row per person with all that was measured."""

import math
from collections.abc import Iterator

from zhongtai.tags.catalogue import Tags
from zhongtai.tags.expressions import SQL_TYPES, condition_sql, literal
from zhongtai.tags.model import (
    Banded,
    Converted,
    Given,
    Layers,
    Rfm,
    Rule,
    Share,
    Split,
    Tag,
)
from zhongtai.tags.plan import Plan
from zhongtai.tags.selections import measure_type
from zhongtai.tags.wants import Measure

# (recency, frequency, money) high -> class
RFM_CLASSES = {
    (True, True, True): "重要价值",
    (False, True, True): "重要唤回",
    (True, False, True): "重要深耕",
    (False, False, True): "重要挽留",
    (True, True, False): "潜力",
    (True, False, False): "新客",
    (False, True, False): "一般维持",
    (False, False, False): "流失",
}


def value_sql(tag: Tag, tags: Tags, plan: Plan) -> str:
    """The typed value of a tag; of an exclusive group the tags declared before it come first."""
    before = "".join(f" and not {other.tag_id}" for other in tags.exclusive_before(tag))
    value = rule_sql(tag.rule, plan, tag.tag_id)
    if tag.value_type == "list":
        return value
    if tag.kind == "sql" and tag.value_type == "boolean":
        value = f"coalesce({value}, false)"
    return f"cast({value}{before} as {SQL_TYPES[tag.value_type]})"


def rule_sql(rule: Rule, plan: Plan, tag_id: str) -> str:
    """The value of a rule, over one row per person with every measure, attribute and parent tag.

    The columns of `cuts_sql` stand beside them, named after the tag.
    """
    if isinstance(rule, Given):
        return plan.column(rule.wanted) if plan.has(rule.wanted) else "null"
    if isinstance(rule, Converted):
        return _converted_sql(rule, plan)
    if isinstance(rule, Layers):
        return _layers_sql(rule, plan)
    if isinstance(rule, Banded | Rfm):
        return _cut_sql(rule, plan, tag_id)
    return _split_sql(rule) if isinstance(rule, Split) else condition_sql(rule, plan)


def cuts_sql(tags: Tags, plan: Plan) -> list[str]:
    """What rules need to know of everyone, as aggregates: `<sql> as <tag>__<cut>`."""
    return [
        f"{sql} as {tag.tag_id}__{name}"
        for tag in tags.published
        for name, sql in _cuts(tag.rule, plan)
    ]


def _cuts(rule: Rule, plan: Plan) -> Iterator[tuple[str, str]]:
    if isinstance(rule, Banded) and rule.by_quantile:
        value = _measured_sql(rule.measure, plan)
        for number, band in enumerate(rule.bands):
            if band.at_most is not None:
                yield f"cut_{number}", _quantile(band.at_most, value)
    if isinstance(rule, Rfm) and rule.cut_by != "limits":
        for number, (name, measure) in enumerate(_dimensions(rule)):
            counted = plan.column(rule.frequency)
            value = f"case when {counted} > 0 then {plan.column(measure)} end"
            if rule.cut_by == "mean":
                yield f"{name}_cut", f"avg({value})"
            else:
                # the better part is the recent one, so recency is cut from the other end
                cut = rule.cuts[number]
                yield f"{name}_cut", _quantile(round(1 - cut, 9) if number == 0 else cut, value)


def _quantile(quantile: float, value: str) -> str:
    return f"percentile_disc({literal(quantile)}) within group (order by {value})"


def _dimensions(rule: Rfm) -> tuple[tuple[str, Measure], ...]:
    return ("recency", rule.recency), ("frequency", rule.frequency), ("money", rule.money)


def _converted_sql(rule: Converted, plan: Plan) -> str:
    column = plan.column(rule.measure)
    if rule.value_type == "text":
        return column
    if rule.value_type == "integer":
        # a cast would round 2.5 to 3
        number = f"try_cast({column} as double)"
        return f"case when {number} = floor({number}) then try_cast({number} as bigint) end"
    return f"try_cast({column} as {SQL_TYPES[rule.value_type]})"


def _layers_sql(rule: Layers, plan: Plan) -> str:
    layers = reversed(rule.layers) if rule.last_wins else rule.layers
    cases = [
        f"when {condition_sql(layer.when, plan)} then {literal(layer.value)}" for layer in layers
    ]
    otherwise = f" else {literal(rule.otherwise)}" if rule.otherwise is not None else ""
    return f"case {' '.join(cases)}{otherwise} end"


def _measured_sql(measure: Measure | Share, plan: Plan) -> str:
    if isinstance(measure, Measure):
        column = plan.column(measure)
        return f"{{{{ local_date('{column}') }}}}" if measure_type(measure) == "time" else column
    part, whole = plan.column(measure.part), plan.column(measure.whole)
    return (
        f"case when {whole} >= {measure.at_least}"
        f" then cast({part} as double) / cast({whole} as double) end"
    )


def _banded_sql(rule: Banded, plan: Plan, tag_id: str) -> str:
    value = _measured_sql(rule.measure, plan)
    if not rule.bands:
        return value
    otherwise = literal(rule.otherwise) if rule.otherwise is not None else "null"
    cases = [f"when {value} is null then {otherwise}"]
    for number, band in enumerate(rule.bands):
        if band.at_most is None:
            cases.append(f"else {literal(band.value)}")
        else:
            limit = f"{tag_id}__cut_{number}" if rule.by_quantile else literal(band.at_most)
            cases.append(f"when {value} <= {limit} then {literal(band.value)}")
    return f"case {' '.join(cases)} end"


def _cut_sql(rule: Banded | Rfm, plan: Plan, tag_id: str) -> str:
    if isinstance(rule, Banded):
        return _banded_sql(rule, plan, tag_id)
    return _rfm_sql(rule, plan, tag_id)


def _rfm_sql(rule: Rfm, plan: Plan, tag_id: str) -> str:
    limits = [
        literal(rule.cuts[number]) if rule.cut_by == "limits" else f"{tag_id}__{name}_cut"
        for number, (name, _) in enumerate(_dimensions(rule))
    ]
    recency, frequency, money = (plan.column(measure) for _, measure in _dimensions(rule))
    tests = (
        f"{recency} <= {limits[0]}",
        f"{frequency} >= {limits[1]}",
        f"{money} >= {limits[2]}",
    )
    otherwise = literal(rule.otherwise) if rule.otherwise is not None else "null"
    cases = [f"when {frequency} = 0 then {otherwise}"]
    for highs, name in RFM_CLASSES.items():
        held = " and ".join(
            test if high else f"not {test}" for test, high in zip(tests, highs, strict=True)
        )
        cases.append(f"when {held} then {literal(name)}")
    return f"case {' '.join(cases)} end"


def _split_sql(rule: Split) -> str:
    place = f"{{{{ hash_share(\"concat('{rule.salt}:', drawn_by)\") }}}}"
    if len(rule.arms) == 1 and rule.arms[0].value is True:
        return f"{place} < {literal(rule.arms[0].share)}"
    cases = []
    for number, arm in enumerate(rule.arms, 1):
        end = round(math.fsum(a.share for a in rule.arms[:number]), 9)
        cases.append(f"when {place} < {literal(end)} then {literal(arm.value)}")
    return f"case {' '.join(cases)} end"
