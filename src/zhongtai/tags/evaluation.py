"""A condition over bitmaps: who it holds for, without looking at any person."""

from functools import reduce
from typing import TYPE_CHECKING, Any

from zhongtai.tags.bitmaps import Bitmaps, pack_arrow
from zhongtai.tags.conditions import And, Compare, Condition, Not, Or
from zhongtai.tags.population import KNOWN

if TYPE_CHECKING:
    from zhongtai.tags.bitmaps import Bits


def find_members(condition: Condition, bitmaps: Bitmaps) -> "Bits":
    """The bitmap of the persons for whom the condition holds."""
    import numpy as np

    if isinstance(condition, And):
        return reduce(np.bitwise_and, (find_members(part, bitmaps) for part in condition.parts))
    if isinstance(condition, Or):
        return reduce(np.bitwise_or, (find_members(part, bitmaps) for part in condition.parts))
    if isinstance(condition, Not):
        return bitmaps.everybody & ~find_members(condition.part, bitmaps)
    return bitmaps.everybody & _find(condition, bitmaps)


def _find(clause: Compare, bitmaps: Bitmaps) -> "Bits":
    import numpy as np

    name, operator = clause.column.name, clause.operator
    if operator == "known":
        known = _find_known(clause, bitmaps)
        return known if clause.operands[0] else ~known
    if name in bitmaps.kept_as_columns:
        return _compare_column(clause, bitmaps)
    if clause.column.type == "boolean":
        # of a flag only who has it has a bitmap
        truths = [bitmaps.read(name) if yes else ~bitmaps.read(name) for yes in clause.operands]
        found = reduce(np.bitwise_or, truths)
        return ~found if operator in ("!=", "not in") else found
    found = _find_any(bitmaps, name, [str(operand) for operand in clause.operands])
    if operator in ("!=", "not in"):
        return _find_any(bitmaps, name, bitmaps.values_of.get(name, ())) & ~found
    return found


def _find_known(clause: Compare, bitmaps: Bitmaps) -> "Bits":
    column = clause.column
    if column.is_personal or column.type == "list":
        return bitmaps.read(column.name, KNOWN)
    if column.name in bitmaps.kept_as_columns:
        return pack_arrow(bitmaps.column(column.name).is_valid(), bitmaps.words)
    if column.type == "boolean":
        return bitmaps.everybody
    return _find_any(bitmaps, column.name, bitmaps.values_of.get(column.name, ()))


def _find_any(bitmaps: Bitmaps, name: str, values: Any) -> "Bits":
    import numpy as np

    found = np.zeros(bitmaps.words, np.uint64)
    for value in values:
        found |= bitmaps.read(name, value)
    return found


def _compare_column(clause: Compare, bitmaps: Bitmaps) -> "Bits":
    import pyarrow as pa
    from pyarrow import compute

    values = bitmaps.column(clause.column.name)
    if pa.types.is_dictionary(values.type):
        values = values.cast(pa.string())
    operands = [pa.scalar(operand, values.type) for operand in clause.operands]
    if clause.operator in ("in", "not in"):
        among = compute.is_in(
            values, value_set=pa.array([o.as_py() for o in operands], values.type)
        )
        found = compute.invert(among) if clause.operator == "not in" else among
        return pack_arrow(compute.and_(found, values.is_valid()), bitmaps.words)
    if clause.operator == "between":
        low, high = operands
        found = compute.and_(compute.greater_equal(values, low), compute.less_equal(values, high))
        return pack_arrow(found, bitmaps.words)
    found = getattr(compute, _COMPARISONS[clause.operator])(values, operands[0])
    return pack_arrow(found, bitmaps.words)


_COMPARISONS = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
