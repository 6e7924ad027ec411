"""The order of paths, as people who number files by hand mean it.

`orders.csv` comes before `orders-late.csv` and `orders (1).csv`, and `part-9.csv` before
`part-10.csv`: the ending of a name does not count, numbers count by value, and a folder comes
before one whose name begins with its own. Migration 084 says the same in SQL.
"""

import re

_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}(\.gz)?\Z")
_NUMBER = re.compile("[0-9]+")
_DIGITS = 20
# sorts before whatever a name holds that is no control character
_NEXT_FOLDER = "\x01"


def file_order(path: str) -> str:
    """Text that sorts paths (`/` between folders) by code point; paths may share one."""
    named = _ENDING.sub("", path).replace("/", _NEXT_FOLDER)
    return _NUMBER.sub(lambda found: found[0].rjust(_DIGITS, "0")[-_DIGITS:], named)
