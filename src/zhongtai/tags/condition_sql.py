"""A condition as SQL over one row per person; true or false, never NULL."""

from collections.abc import Mapping

from zhongtai.tags.conditions import And, Compare, Condition, Not, Or
from zhongtai.tags.expressions import literal


def condition_sql(condition: Condition, sql_of: Mapping[str, str]) -> str:
    """The SQL of a condition; `sql_of` gives the SQL expression of each column by its name."""
    if isinstance(condition, And | Or):
        word = " and " if isinstance(condition, And) else " or "
        return f"({word.join(condition_sql(part, sql_of) for part in condition.parts)})"
    if isinstance(condition, Not):
        return f"(not {condition_sql(condition.part, sql_of)})"
    return _clause_sql(condition, sql_of[condition.column.name])


def _clause_sql(clause: Compare, column: str) -> str:
    operator = clause.operator
    if operator == "known":
        return f"({column} is {'not ' if clause.operands[0] else ''}null)"
    operands = [literal(operand) for operand in clause.operands]
    if operator in ("in", "not in"):
        test = f"{column} {operator} ({', '.join(operands)})"
    elif operator == "between":
        test = f"{column} between {operands[0]} and {operands[1]}"
    elif operator == "has":
        test = f"list_contains({column}, {operands[0]})"
    else:
        test = f"{column} {operator} {operands[0]}"
    return f"coalesce({test}, false)"
