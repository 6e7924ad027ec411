"""Values as they may be told: enough to compare, not to call."""

import re

# Record keys are told as they are, for people look records up by them, except where a source made
# one of somebody's phone, e-mail address or identity card.
_PERSONAL = re.compile(r"(\+?86)?1[3-9]\d{9}|\d{17}[\dXx]|[^@\s]+@[^@\s]+")
# The same within a text, with borders: a hash or a count may hold such digits by chance.
_PERSONAL_WITHIN = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:\+?86[- ]?)?1[3-9]\d{9}|\d{17}[\dXx]|(?=[A-Z]*\d)[A-HJ-NPR-Z0-9]{17})"
    r"(?![0-9A-Za-z])|[^@\s,;:'\"]+@[^@\s,;:'\"]+"
)


def mask_sql(value: str) -> str:
    """SQL: the beginning and the end of the text expression `value`, at most 7 characters of it."""
    return (
        f"left({value}, least(length({value}) // 4, 3))"
        f" || '…' || right({value}, least(length({value}) // 3, 4))"
    )


def mask_name_sql(name: str) -> str:
    """SQL: the surname of the text expression `name`, and how much more there is of it."""
    return f"left({name}, 1) || repeat('*', greatest(length({name}) - 1, 1)::integer)"


def mask_numbers_sql(numbers: str) -> str:
    """SQL: the last four digits of each phone in the list expression `numbers`."""
    ends = f"list_transform({numbers}, lambda number: '…' || right(number, 4))"
    return f"array_to_string({ends}, ' ')"


def mask_date_sql(day: str) -> str:
    """SQL: the year of the date expression `day`."""
    return f"strftime({day}, '%Y-**-**')"


def mask_address_sql(address: str) -> str:
    """SQL: province and city, with which the text expression `address` begins."""
    return f"left({address}, 6) || '…'"


def mask_key(record_key: str) -> str:
    """The key of a record, masked as `mask_sql` does where a part of it is somebody's number."""
    return "|".join(
        _mask(part) if _PERSONAL.fullmatch(part) else part for part in record_key.split("|")
    )


def mask_told(text: str) -> str:
    """A text that quotes names from a file: a row of data may have been taken for its header."""
    return _PERSONAL_WITHIN.sub(lambda found: _mask(found[0]), text)


def mask_asked(text: str) -> str:
    """What somebody asked about, SOURCE:ENTITY:KEY or an id, with its key masked as above."""
    *head, key = text.split(":", 2)
    return ":".join([*head, mask_key(key)])


def _mask(value: str) -> str:
    end = min(len(value) // 3, 4)
    return f"{value[: min(len(value) // 4, 3)]}…{value[len(value) - end :]}"
