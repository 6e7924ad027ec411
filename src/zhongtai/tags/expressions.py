"""Conditions, comparisons and literals as SQL that DuckDB and Spark both read."""

from datetime import date

from zhongtai.jinja import split_openings
from zhongtai.tags.facts import PROFILE
from zhongtai.tags.model import (
    All,
    Any,
    Attribute,
    Condition,
    Not,
    OtherTag,
)
from zhongtai.tags.plan import Plan, default_of
from zhongtai.tags.selections import measure_type
from zhongtai.tags.wants import DATE_OPERATORS, LIST_OPERATORS, Comparison, Scalar

SQL_TYPES = {
    "boolean": "boolean",
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "date": "date",
    "list": "varchar[]",
    "shares": "varchar",
}
_SYMBOLS = {
    "is": "=",
    "is_not": "<>",
    "at_least": ">=",
    "at_most": "<=",
    "at_most_if_any": "<=",
    "more_than": ">",
    "less_than": "<",
}


def literal(value: Scalar) -> str:
    """A SQL literal, the same text in DuckDB and Spark.

    Jinja's brackets are taken apart, so that dbt leaves a text alone; a backslash, which Spark
    would take for an escape, is given by its number.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, date):
        return f"date '{value.isoformat()[:10]}'"
    text = split_openings(value.replace("'", "''"), "' || '")
    text = text.replace("\\", "' || chr(92) || '")
    return f"'{text}'"


def comparison_sql(column: str, comparison: Comparison, of_type: str = "any") -> str:
    """`column <operator> operand`; NULL where the column is NULL, except for `known`.

    A time is compared by its local date; what is relative to as-of reads a column `as_of`.
    """
    operator, operand = comparison.operator, comparison.operand
    if operator == "known":
        return f"{column} is {'not ' if operand else ''}null"
    if operator in DATE_OPERATORS:
        return _relative_sql(column, comparison, of_type)
    if of_type == "time":
        column = f"{{{{ local_date('{column}') }}}}"
    if isinstance(operand, tuple):
        return _several_sql(column, operator, operand)
    if operator == "contains":
        return _several_sql(column, operator, (operand,))
    if isinstance(operand, bool) and operator in ("is", "is_not"):
        return column if operand == (operator == "is") else f"not {column}"
    at_all = f"{column} > 0 and " if operator == "at_most_if_any" else ""
    return f"{at_all}{column} {_SYMBOLS[operator]} {literal(operand)}"


def _several_sql(column: str, operator: str, operands: tuple[Scalar, ...]) -> str:
    if operator == "between":
        return f"{column} between {literal(operands[0])} and {literal(operands[1])}"
    if operator in LIST_OPERATORS:
        tests = [f"array_contains({column}, {literal(item)})" for item in operands]
        return f"({(' and ' if operator == 'contains_all' else ' or ').join(tests)})"
    listed = ", ".join(literal(value) for value in operands)
    return f"{column} {'in' if operator == 'in' else 'not in'} ({listed})"


def condition_sql(condition: Condition, plan: Plan) -> str:
    """A condition that is true or false, never NULL: what is unknown does not hold."""
    if isinstance(condition, All | Any):
        joined = " and " if isinstance(condition, All) else " or "
        return f"({joined.join(condition_sql(c, plan) for c in condition.conditions)})"
    if isinstance(condition, Not):
        return f"not ({condition_sql(condition.condition, plan)})"
    if isinstance(condition, Attribute):
        of_type: str = PROFILE[condition.name].type
        return _never_null(f"profile__{condition.name}", condition.comparison, of_type)
    if isinstance(condition, OtherTag):
        # of tags only a date can be compared by a date operator
        is_date = condition.comparison.operator in DATE_OPERATORS
        return _never_null(condition.tag_id, condition.comparison, "date" if is_date else "any")
    column = plan.column(condition.measure)
    if default_of(condition.measure) is not None:
        return f"({comparison_sql(column, condition.comparison)})"
    return _never_null(column, condition.comparison, measure_type(condition.measure))


def attribute_sql(name: str) -> str:
    """The SQL of a profile attribute over `users`."""
    return PROFILE[name].sql


def _relative_sql(column: str, comparison: Comparison, of_type: str) -> str:
    """A date of a person beside the local day of as-of."""
    day = f"local_date('{column}')" if of_type == "time" else f"'{column}'"
    ago = f"{{{{ dbt.datediff({day}, local_date('as_of'), 'day') }}}}"
    number = literal(comparison.operand) if not isinstance(comparison.operand, tuple) else ""
    return {
        "within_last_days": f"{ago} between 0 and {number}",
        "within_next_days": f"{ago} between -{number} and 0",
        "longer_ago_than_days": f"{ago} > {number}",
        "further_ahead_than_days": f"{ago} < -{number}",
        "anniversary_within_days": (
            f"{{{{ days_to_anniversary({day}, local_date('as_of')) }}}} <= {number}"
        ),
    }[comparison.operator]


def _never_null(column: str, comparison: Comparison, of_type: str) -> str:
    test = comparison_sql(column, comparison, of_type)
    return f"({test})" if comparison.operator == "known" else f"coalesce({test}, false)"
