"""What counts as evidence: the identifier types with their limits, and the values that are none.

Read from seeds/identifiers.csv and seeds/blocked_identifiers.csv, so that the business changes a
limit without touching code. Every setting is one column; a wrong one is an error with its line.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from zhongtai.errors import ConfigurationError
from zhongtai.identity.names import Sound

if TYPE_CHECKING:
    from zhongtai.identity import matching

OverLimit = Literal["drop_edge", "keep_newest", "relationship_only"]

# What contradicts beside identifier types: attributes of the records themselves.
NAME = "name"
BIRTH_DATE = "birth_date"
VERIFIED_MOBILE = "verified_mobile"
ATTRIBUTES = (NAME, BIRTH_DATE, VERIFIED_MOBILE)
ANY_TYPE = "*"
_OVER_LIMIT = ("drop_edge", "keep_newest", "relationship_only")
_STATUS = ("edge", "known")
_NORMALISERS = ("as delivered", "lower case", "upper case", "e-mail", "E.164")
_HINT = "docs/identity.md describes every column"


@dataclass(frozen=True)
class IdentifierType:
    """One kind of identifier and how far it is believed.

    `max_values` is how many values one person may hold, `max_holders` how many persons may hold
    one value before it is a hub; None is no limit. A value that nobody used for `window_days` may
    have gone to somebody else. `parent`: taking back the parent's value takes back this one too.
    `contradicted_by` names the types and attributes that refuse a link made by this type; those
    of a single-valued type contradict every link. What `parent`, `scope` and `normaliser` say is
    done to the evidence before it comes here.
    """

    name: str
    priority: int
    status: str = "edge"
    max_values: int | None = None
    max_holders: int | None = None
    window_days: int | None = None
    over_limit: OverLimit = "drop_edge"
    parent: str | None = None
    scope: str | None = None
    normaliser: str = "as delivered"
    contradicted_by: frozenset[str] = frozenset()

    @property
    def is_edge(self) -> bool:
        """Whether a shared value makes records one person."""
        return self.status == "edge"


@dataclass(frozen=True)
class BlockedValue:
    """A value, or a pattern (RE2 syntax), that identifies nobody.

    Type `*` is every type, `name` what is no name of a person.
    """

    identifier_type: str
    kind: Literal["value", "pattern"]
    blocked: str


@dataclass(frozen=True)
class Declaration:
    """All identifier types by name, strongest first, the blocked values, and how names sound.

    `matching`: how persons whom no identifier joins are compared, and the model that weighs it.
    """

    types: Mapping[str, IdentifierType]
    blocked: tuple[BlockedValue, ...] = ()
    sound: Sound = list
    matching: "tuple[matching.Declaration, matching.Model] | None" = None

    def numbered(self) -> Iterator[tuple[int, IdentifierType]]:
        """The types with the small numbers that stand for them in tables, strongest first."""
        return enumerate(self.types.values())


def declare(*types: IdentifierType, blocked: tuple[BlockedValue, ...] = ()) -> Declaration:
    """A declaration of these types. Raises ConfigurationError where they do not fit together."""
    ordered = sorted(types, key=lambda t: (t.priority, t.name))
    declaration = Declaration({t.name: t for t in ordered}, blocked)
    for one in ordered:
        for named in (*one.contradicted_by, *([one.parent] if one.parent else [])):
            if named not in declaration.types and named not in ATTRIBUTES:
                raise ConfigurationError(
                    f"identifier type {one.name!r} names {named!r}, which is not declared",
                    hint=f"known are {', '.join([*declaration.types, *ATTRIBUTES])}",
                )
    return declaration


def load_declaration(project_dir: Path) -> Declaration:
    """Read both seeds. Raises ConfigurationError with file, line and what was expected."""
    from zhongtai.identity.matching.names import pronounce

    types = [
        _read_type(row, where) for row, where in _rows(project_dir / "seeds" / "identifiers.csv")
    ]
    blocked = [
        _read_blocked(row, where)
        for row, where in _rows(project_dir / "seeds" / "blocked_identifiers.csv")
    ]
    names = {t.name for t in types}
    for (row, where), value in zip(
        _rows(project_dir / "seeds" / "blocked_identifiers.csv"), blocked, strict=True
    ):
        _choose(row, "identifier_type", (ANY_TYPE, NAME, *sorted(names)), where)
        if value.kind == "pattern":
            _check_pattern(value.blocked, where)
    return replace(
        declare(*types, blocked=tuple(blocked)),
        sound=pronounce,
        matching=_load_matching(project_dir),
    )


def _load_matching(
    project_dir: Path,
) -> "tuple[matching.Declaration, matching.Model] | None":
    """None where the project declares no matching."""
    folder = project_dir / "seeds" / "matching"
    if not folder.is_dir():
        return None
    from zhongtai.identity import matching

    return (
        matching.load_declaration(folder / "persons.yml"),
        matching.load_model(folder / "persons.model.json"),
    )


def _rows(file: Path) -> Iterator[tuple[dict[str, str], str]]:
    if not file.exists():
        raise ConfigurationError(f"{file} is missing", hint=_HINT)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        for row in reader:
            yield row, f"{file}:{reader.line_num}"


def _read_type(row: dict[str, str], where: str) -> IdentifierType:
    values = _choose(row, "values_per_person", ("single", "multiple"), where)
    max_values = _number(row, "max_values", where)
    if values == "single" and max_values not in (None, 1):
        raise ConfigurationError(
            f"{where}: a single-valued type has max_values {max_values}", hint=_HINT
        )
    priority = _number(row, "priority", where)
    if priority is None:
        raise ConfigurationError(f"{where}: priority is empty, expected a number", hint=_HINT)
    return IdentifierType(
        name=_text(row, "identifier_type", where),
        priority=priority,
        status=_choose(row, "status", _STATUS, where),
        max_values=1 if values == "single" else max_values,
        max_holders=_number(row, "max_holders", where),
        window_days=_number(row, "window_days", where),
        over_limit=cast("OverLimit", _choose(row, "over_limit", _OVER_LIMIT, where)),
        parent=row.get("parent") or None,
        scope=row.get("scope") or None,
        normaliser=_choose(row, "normaliser", _NORMALISERS, where),
        contradicted_by=frozenset(filter(None, (row.get("contradicted_by") or "").split(";"))),
    )


def _read_blocked(row: dict[str, str], where: str) -> BlockedValue:
    kind = _choose(row, "kind", ("value", "pattern"), where)
    return BlockedValue(
        _text(row, "identifier_type", where),
        cast("Literal['value', 'pattern']", kind),
        _text(row, "blocked", where),
    )


def _text(row: dict[str, str], column: str, where: str) -> str:
    value = row.get(column)
    if not value:
        raise ConfigurationError(f"{where}: {column} is empty", hint=_HINT)
    return value


def _choose(row: dict[str, str], column: str, known: tuple[str, ...], where: str) -> str:
    value = _text(row, column, where)
    if value not in known:
        raise ConfigurationError(
            f"{where}: {column} is {value!r}, expected one of {', '.join(known)}", hint=_HINT
        )
    return value


def _number(row: dict[str, str], column: str, where: str) -> int | None:
    value = row.get(column)
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise ConfigurationError(
            f"{where}: {column} is {value!r}, expected a whole number from 1", hint=_HINT
        )
    return int(value)


def _check_pattern(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(
            f"{where}: {pattern!r} is no pattern: {error}", hint=_HINT
        ) from error
