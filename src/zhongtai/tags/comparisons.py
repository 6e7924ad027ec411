"""Comparisons: an operator and an operand of the type that it is compared with."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any as Anything
from typing import cast

from zhongtai.contracts.document import Section
from zhongtai.tags.wants import DATE_OPERATORS, LIST_OPERATORS, OPERATORS, Comparison, Scalar

# what may follow a value of a person; `where` of a fact takes OPERATORS only
ALL_OPERATORS = (*OPERATORS, *DATE_OPERATORS, *LIST_OPERATORS)
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (date,),
    "time": (date,),
}
_SEVERAL = ("in", "not_in", "contains_any", "contains_all")
_ORDERED = ("at_least", "at_most", "at_most_if_any", "more_than", "less_than", "between")
_ANY = (str, int, float, bool, date)


def read_comparison(
    section: Section, of_type: str, operators: Collection[str] = ALL_OPERATORS
) -> Comparison:
    """The one operator of a section and its operand, which must fit `of_type` (`any` fits all).

    A time is compared by its local date. Raises ConfigurationError with file and line.
    """
    operator = the_one_of(operators, section, "a comparison")
    operand = section.value(operator)
    _check_fit(section, operator, of_type)
    if operator == "known":
        return Comparison(operator, typed(section, operator, operand, "boolean"))
    if operator in DATE_OPERATORS:
        days = typed(section, operator, operand, "integer")
        # an anniversary is always less than a year away
        limit = 364 if operator == "anniversary_within_days" else 36_500
        if not 0 <= int(str(days)) <= limit:
            raise section.error_at(operator, f"{operator!r} needs a number from 0 to {limit}")
        return Comparison(operator, days)
    item = "text" if operator in LIST_OPERATORS else of_type
    if operator in _SEVERAL or operator == "between":
        if not isinstance(operand, list) or not operand:
            raise section.error_at(operator, f"{operator!r} needs a list")
        if operator == "between" and len(operand) != 2:
            raise section.error_at(operator, "'between' needs two values, both included")
        return Comparison(operator, tuple(typed(section, operator, v, item) for v in operand))
    return Comparison(operator, typed(section, operator, operand, item))


def fits(operator: str, of_type: str) -> str | None:
    """What is wrong with an operator beside a type; None where it fits."""
    number, moment = ("integer", "number"), ("date", "time")
    single = (*number, *moment, "text", "boolean")
    needs: dict[str, tuple[str, tuple[str, ...]]] = {
        **dict.fromkeys(("is", "is_not", "in", "not_in"), ("a single value", single)),
        **dict.fromkeys(_ORDERED, ("numbers or dates", (*number, *moment))),
        **dict.fromkeys(DATE_OPERATORS, ("a date", moment)),
        **dict.fromkeys(LIST_OPERATORS, ("a list", ("list",))),
        "at_most_if_any": ("a number", number),
    }
    if of_type == "any" or operator == "known" or of_type in needs[operator][1]:
        return None
    return f"{operator!r} needs {needs[operator][0]}, not a {of_type}"


def typed(section: Section, key: str, value: Anything, of_type: str) -> Scalar:
    """The value, if it is of the type asked for; `any` takes every scalar."""
    allowed = PYTHON_TYPES.get(of_type, _ANY)
    is_flag_for_number = isinstance(value, bool) and bool not in allowed
    if not isinstance(value, allowed) or is_flag_for_number or isinstance(value, datetime):
        article = "an" if of_type == "integer" else "a"
        raise section.error_at(key, f"{key!r} is {value!r}, expected {article} {of_type}")
    return cast(Scalar, value)


def the_one_of(known: Collection[str], section: Section, what: str) -> str:
    """The key of the section that is one of `known`; raises unless there is exactly one."""
    found = [key for key in section.keys() if key in known]  # noqa: SIM118  # a Section is no dict
    if len(found) != 1:
        said = " and ".join(found) or ", ".join(section.keys()) or "nothing"
        raise section.error(f"expected {what} with exactly one of {', '.join(known)}; found {said}")
    return found[0]


def _check_fit(section: Section, operator: str, of_type: str) -> None:
    wrong = fits(operator, of_type)
    if wrong:
        raise section.error_at(operator, wrong)
