"""Finds the header of a delimited file or sheet and maps its names to the contract's columns."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from zhongtai.contracts import Contract
from zhongtai.printable import printable
from zhongtai.readers.records import FileRejected, Note

# Titles, dates of export and blank lines may stand above the header.
HEADER_SEARCH_ROWS = 20
# Exports have dozens of columns; beyond this a file is no table but its transpose, or an attack.
MAX_COLUMNS = 4096
_SHOWN = 500
_IGNORED = re.compile("[\\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad'\"`]+")
BLANK_CHARACTERS = " \t\v\f\u00a0\u3000\u200b\ufeff"
TOTALS_WORDS = ("合计", "总计", "小计")
_TOTALS = re.compile(f"(?:{'|'.join(TOTALS_WORDS)})[{BLANK_CHARACTERS}]*[:：]?")


@dataclass(frozen=True)
class Header:
    """Where each contract column stands.

    `cells` is the header as delivered, `names` trimmed; `positions` maps delivered names to
    column positions, `extras` names the other columns.
    """

    cells: tuple[str, ...]
    names: tuple[str, ...]
    positions: dict[str, int]
    extras: dict[str, int]

    @property
    def width(self) -> int:
        """Columns up to the last one that has a name."""
        return len(self.names)


def normalise_name(name: str) -> str:
    """A column name as headers are compared: width, case, blanks and quotes do not count.

    >>> normalise_name(" 手机号（脱敏） ") == normalise_name("手机号(脱敏)")
    True
    """
    return _IGNORED.sub("", unicodedata.normalize("NFKC", name)).casefold()


def is_blank(value: str) -> bool:
    """Whether a cell holds nothing but blanks."""
    return not value.strip(BLANK_CHARACTERS + "\r\n")


def is_totals(values: Sequence[str]) -> bool:
    """Whether a record is a totals row: its first filled cell says so."""
    first = next((v for v in values if not is_blank(v)), "")
    return bool(_TOTALS.fullmatch(first.strip(BLANK_CHARACTERS + "\r\n")))


def count_matches(contract: Contract, names: Sequence[str]) -> int:
    """How many contract columns a candidate header names."""
    return len(_match(contract, names)[0])


def find_header(contract: Contract, records: Sequence[Sequence[str]]) -> int:
    """The position of the header among the first records of a file, or -1.

    The header is the record that names most contract columns, at least two of them (one where
    the record or contract has one only); the first of equals.
    """
    scores = [count_matches(contract, record) for record in records[:HEADER_SEARCH_ROWS]]
    best = max(scores, default=0)
    if best < min(2, len(contract.columns)):
        return -1
    return scores.index(best)


def names_enough(contract: Contract, record: Sequence[str]) -> bool:
    """Whether a record is the entity's header, of which columns may be lost: half are there.

    Fewer are those of a summary beside the rows, which shares a few names with them.
    """
    return count_matches(contract, record) * 2 >= len(contract.required_columns)


def build_header(contract: Contract, record: Sequence[str]) -> Header:
    """Map a header record.

    Raises FileRejected when a required column is not there, or there are too many.
    """
    names = [name.strip(BLANK_CHARACTERS + "\r\n") for name in record]
    while names and not names[-1]:
        names.pop()
    positions, others = _match(contract, names)
    missing = [c.delivered for c in contract.required_columns if c.delivered not in positions]
    if missing:
        found = printable(", ".join(n for n in names if n), _SHOWN)
        raise FileRejected(
            "required_column_missing", f"expected {', '.join(missing)}; found {found}"
        )
    if len(names) > MAX_COLUMNS:
        raise FileRejected(
            "too_many_columns", f"the header has {len(names)} columns; up to {MAX_COLUMNS} are read"
        )
    return Header(tuple(record), tuple(names), positions, _extra_names(names, others))


def note_columns(contract: Contract, header: Header) -> list[Note]:
    """What differs between a header and the contract without being an error."""
    notes = [
        Note("column_missing", "the column is not in the file and loads empty", c.delivered)
        for c in contract.columns
        if c.delivered not in header.positions
    ]
    notes += [
        Note("column_added", "the contract does not know the column; kept in _extra", name)
        for name in header.extras
    ]
    return notes


def _match(contract: Contract, names: Sequence[str]) -> tuple[dict[str, int], list[int]]:
    """Positions of contract columns, and the positions that name none or one named before.

    A column under its own name comes before one under an alias.
    """
    own = {normalise_name(c.delivered): c.delivered for c in contract.columns}
    aliases = {normalise_name(a): c.delivered for c in contract.columns for a in c.aliases}
    keys = [normalise_name(name) for name in names]
    positions: dict[str, int] = {}
    for known in (own, aliases):
        for position, key in enumerate(keys):
            if key in known:
                positions.setdefault(known[key], position)
    used = set(positions.values())
    return positions, [position for position in range(len(names)) if position not in used]


def _extra_names(names: Sequence[str], others: list[int]) -> dict[str, int]:
    """Unique names for the columns that are not the contract's: a repeated one gets `#2`."""
    extras: dict[str, int] = {}
    unknown = set(others)
    taken = {name for position, name in enumerate(names) if position not in unknown}
    numbers: dict[str, int] = {}
    for position in others:
        base = names[position] or f"column {position + 1}"
        name, number = base, numbers.get(base, 2)
        while name in taken:
            name, number = f"{base}#{number}", number + 1
        numbers[base] = number
        taken.add(name)
        extras[name] = position
    return extras
