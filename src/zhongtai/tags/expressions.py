"""Conditions, comparisons and literals as SQL that DuckDB and Spark both read."""

from datetime import date

from zhongtai.tags.facts import PROFILE
from zhongtai.tags.grammar import measure_type
from zhongtai.tags.model import (
    All,
    Any,
    Attribute,
    Banded,
    Comparison,
    Condition,
    Layers,
    Not,
    OtherTag,
    Preference,
    Rule,
    Scalar,
)
from zhongtai.tags.plan import ZERO_WITHOUT_FACTS, Plan

SQL_TYPES = {
    "boolean": "boolean",
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "date": "date",
}
_SYMBOLS = {
    "is": "=",
    "is_not": "<>",
    "at_least": ">=",
    "at_most": "<=",
    "more_than": ">",
    "less_than": "<",
}


def literal(value: Scalar) -> str:
    """A SQL literal; Jinja's brackets are taken apart so that dbt leaves a text alone."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, date):
        return f"date '{value.isoformat()[:10]}'"
    text = value.replace("'", "''")
    for opening in ("{{", "{%", "{#"):
        text = text.replace(opening, f"{opening[0]}' || '{opening[1]}")
    return f"'{text}'"


def comparison_sql(column: str, comparison: Comparison) -> str:
    """`column <operator> operand`; NULL where the column is NULL, except for `known`."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "known":
        return f"{column} is {'not ' if operand else ''}null"
    if isinstance(operand, tuple):
        if operator == "between":
            return f"{column} between {literal(operand[0])} and {literal(operand[1])}"
        listed = ", ".join(literal(value) for value in operand)
        return f"{column} {'in' if operator == 'in' else 'not in'} ({listed})"
    if operator == "at_most_if_any":
        return f"{column} > 0 and {column} <= {literal(operand)}"
    if isinstance(operand, bool) and operator in ("is", "is_not"):
        return column if operand == (operator == "is") else f"not {column}"
    return f"{column} {_SYMBOLS[operator]} {literal(operand)}"


def rule_sql(rule: Rule, plan: Plan) -> str:
    """The value of a rule, over one row per person with every measure, attribute and parent tag."""
    if isinstance(rule, Preference):
        return plan.column(rule)
    if isinstance(rule, Layers):
        layers = reversed(rule.layers) if rule.last_wins else rule.layers
        cases = [
            f"when {condition_sql(layer.when, plan)} then {literal(layer.value)}"
            for layer in layers
        ]
        otherwise = f" else {literal(rule.otherwise)}" if rule.otherwise is not None else ""
        return f"case {' '.join(cases)}{otherwise} end"
    if isinstance(rule, Banded):
        return _banded_sql(rule, plan)
    return condition_sql(rule, plan)


def condition_sql(condition: Condition, plan: Plan) -> str:
    """A condition that is true or false, never NULL: what is unknown does not hold."""
    if isinstance(condition, All | Any):
        joined = " and " if isinstance(condition, All) else " or "
        return f"({joined.join(condition_sql(c, plan) for c in condition.conditions)})"
    if isinstance(condition, Not):
        return f"not ({condition_sql(condition.condition, plan)})"
    if isinstance(condition, Attribute):
        return _never_null(f"profile__{condition.name}", condition.comparison)
    if isinstance(condition, OtherTag):
        return _never_null(condition.tag_id, condition.comparison)
    column = plan.column(condition.measure)
    if condition.measure.take in ZERO_WITHOUT_FACTS:
        return f"({comparison_sql(column, condition.comparison)})"
    return _never_null(column, condition.comparison)


def attribute_sql(name: str) -> str:
    """The SQL of a profile attribute over `users`."""
    return PROFILE[name].sql


def _banded_sql(rule: Banded, plan: Plan) -> str:
    column = plan.column(rule.measure)
    if not rule.bands:
        is_time = measure_type(rule.measure) == "time"
        return f"{{{{ local_date('{column}') }}}}" if is_time else column
    otherwise = literal(rule.otherwise) if rule.otherwise is not None else "null"
    cases = [f"when {column} is null then {otherwise}"]
    for band in rule.bands:
        test = (
            f"when {column} <= {literal(band.at_most)} then" if band.at_most is not None else "else"
        )
        cases.append(f"{test} {literal(band.value)}")
    return f"case {' '.join(cases)} end"


def _never_null(column: str, comparison: Comparison) -> str:
    test = comparison_sql(column, comparison)
    return f"({test})" if comparison.operator == "known" else f"coalesce({test}, false)"
