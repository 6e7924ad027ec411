"""Loading the contracts, with every mistake reported by file and line."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from zhongtai.contracts.document import HINT, Section
from zhongtai.contracts.model import (
    CLEAN_KINDS,
    COMPLETIONS,
    FILE_RULES,
    FORMATS,
    PII_CLASSES,
    ROW_RULES,
    SEVERITIES,
    TIME_KINDS,
    TIME_ROLES,
    Column,
    Completion,
    Contract,
    Dialect,
    FallbackKey,
    Format,
    Pii,
    Retention,
    Rule,
    Severity,
    TimeRole,
)
from zhongtai.errors import ConfigurationError

_FILE_NAME = re.compile(r"(?P<source>[a-z][a-z0-9]*)__(?P<entity>[a-z][a-z0-9_]*)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DURATION = re.compile(r"[1-9][0-9]*[mhd]")
_DAYS = re.compile(r"[1-9][0-9]{0,4}d")
_TOP_KEYS = (
    "description", "owner", "impact", "format", "path", "encodings", "dialect", "completion",
    "stable_seconds", "key", "fallback_key", "version", "event_time", "fresh_within", "retention",
    "columns", "row_rules", "file_rules",
)  # fmt: skip
_COLUMN_KEYS = (
    "name", "type", "required", "time_role", "pii", "values", "description", "aliases",
)  # fmt: skip


class Contracts(Mapping[str, Contract]):
    """Contracts by `source.entity`, in name order."""

    def __init__(self, contracts: dict[str, Contract]) -> None:
        self._contracts = dict(sorted(contracts.items()))

    def __getitem__(self, name: str) -> Contract:
        return self._contracts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources, sorted."""
        return tuple(sorted({contract.source for contract in self.values()}))

    def of_source(self, source: str) -> tuple[Contract, ...]:
        """The contracts of one source. Raises ConfigurationError for an unknown one."""
        found = tuple(contract for contract in self.values() if contract.source == source)
        if not found:
            raise ConfigurationError(
                f"there is no source {source!r}", hint=f"known: {', '.join(self.sources)}"
            )
        return found


def list_sources(project_dir: Path) -> list[str]:
    """The sources that have a contract, by file name alone: cheap enough for a DAG file."""
    files = (project_dir / "expectations" / "raw").glob("*__*.yml")
    return sorted({file.name.partition("__")[0] for file in files})


def load_contracts(project_dir: Path) -> Contracts:
    """Every contract below `project_dir`/expectations/raw.

    Raises ConfigurationError with file, line and what was expected.
    """
    folder = project_dir / "expectations" / "raw"
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise ConfigurationError(f"{folder} holds no contract (*.yml)", hint=HINT)
    contracts = (read_contract(file) for file in files)
    return Contracts({contract.name: contract for contract in contracts})


def read_contract(file: Path) -> Contract:
    """The contract in one file, which is named <source>__<entity>.yml."""
    named = _FILE_NAME.fullmatch(file.stem)
    if not named:
        raise ConfigurationError(
            f"{file}: expected a name like <source>__<entity>.yml in lower case", hint=HINT
        )
    top = Section.of_file(file)
    top.expect_keys(_TOP_KEYS)
    columns = _columns(top)
    delivered = {column.delivered: column for column in columns}
    contract = Contract(
        source=named["source"],
        entity=named["entity"],
        description=top.text("description"),
        owner=top.text("owner"),
        impact=top.text("impact"),
        format=cast("Format", top.choice("format", FORMATS)),
        path=top.text("path"),
        encodings=top.texts("encodings"),
        dialect=_dialect(top),
        completion=cast("Completion", top.choice("completion", COMPLETIONS)),
        stable_seconds=top.integer("stable_seconds", 10),
        key=top.texts("key"),
        fallback_key=_fallback_key(top, delivered),
        version=top.text("version") if "version" in top else None,
        event_time=top.text("event_time") if "event_time" in top else None,
        fresh_within=top.text("fresh_within"),
        retention=_retention(top, columns),
        columns=columns,
        row_rules=_rules(top, "row_rules", ROW_RULES),
        file_rules=_rules(top, "file_rules", FILE_RULES),
        file=file,
        content_hash=hashlib.sha256(file.read_bytes()).hexdigest(),
    )
    _check_references(top, contract, delivered)
    return contract


def _check_references(top: Section, contract: Contract, columns: dict[str, Column]) -> None:
    if not contract.key:
        raise top.error("the contract: 'key' must name at least one column")
    if not contract.encodings:
        raise top.error("the contract: 'encodings' must name at least one encoding")
    for encoding in contract.encodings:
        if not _is_encoding(encoding):
            raise top.error_at(
                "encodings", f"encoding {encoding!r} is unknown, expected e.g. utf-8, gb18030"
            )
    if not _DURATION.fullmatch(contract.fresh_within):
        raise top.error_at(
            "fresh_within", f"fresh_within is {contract.fresh_within!r}, expected e.g. 90m, 26h, 8d"
        )
    for column in contract.key:
        if column not in columns:
            raise top.error_at("key", f"key column {column!r} is not among the columns")
    if not any(columns[column].required for column in contract.key):
        raise top.error_at("key", "no key column is required, so a row could have no key at all")
    _check_times(top, contract, columns)


def _is_encoding(name: str) -> bool:
    """Whether texts can be written and read by that name."""
    try:
        "a".encode(name)
    except LookupError:
        return False
    return True


def _check_times(top: Section, contract: Contract, columns: dict[str, Column]) -> None:
    for role in ("version", "event_time"):
        named = getattr(contract, role)
        if named is None:
            continue
        if named not in columns:
            raise top.error_at(role, f"{role} column {named!r} is not among the columns")
        if columns[named].type not in _kinds_of(role):
            raise top.error_at(role, f"{role} column {named!r} has no time type {_kinds_of(role)}")
    marked = [c.delivered for c in contract.columns if c.time_role == "event"]
    if marked != ([contract.event_time] if contract.event_time else []):
        raise top.error_at(
            "event_time", f"event_time is {contract.event_time!r} but time_role event is {marked}"
        )


def _kinds_of(role: str) -> tuple[str, ...]:
    """Types of a column with this role; the day that counts stand for may be part of their key."""
    return (*TIME_KINDS, "key") if role == "event_time" else TIME_KINDS


def _columns(top: Section) -> tuple[Column, ...]:
    section = top.section("columns")
    columns = tuple(_column(section, delivered) for delivered in section.keys())  # noqa: SIM118
    if not columns:
        raise section.error("'columns' must declare at least one column")
    spellings: dict[str, str] = {}
    names: set[str] = set()
    for column in columns:
        if column.name in names:
            raise section.error_at(column.delivered, f"name {column.name!r} is used twice")
        names.add(column.name)
        for spelling in (column.delivered, *column.aliases):
            other = spellings.setdefault(spelling.casefold(), column.delivered)
            if other != column.delivered:
                raise section.error_at(
                    column.delivered, f"{spelling!r} means both {other!r} and {column.delivered!r}"
                )
    return columns


def _column(columns: Section, delivered: str) -> Column:
    if delivered.startswith("_") and delivered in {
        "_extra", "_row_number", "_raw", "_key_hash", "_delivery_id", "_delivery_order",
    }:  # fmt: skip
        raise columns.error_at(delivered, f"column {delivered!r} has a name the product uses")
    section = columns.section(delivered)
    section.expect_keys(_COLUMN_KEYS)
    name = section.text("name")
    if not _NAME.fullmatch(name):
        raise section.error_at("name", f"name {name!r} must be lower_snake_case")
    kind = section.choice("type", CLEAN_KINDS)
    values = section.texts("values")
    if values and kind != "enum":
        raise section.error_at("values", f"column {delivered!r}: 'values' needs type enum")
    role = section.choice("time_role", TIME_ROLES) if "time_role" in section else None
    if role and kind not in _kinds_of("event_time" if role == "event" else role):
        raise section.error_at("time_role", f"column {delivered!r} is no time: its type is {kind}")
    return Column(
        delivered=delivered,
        name=name,
        type=kind,
        required=section.flag("required"),
        time_role=cast("TimeRole | None", role),
        pii=cast("Pii", section.choice("pii", PII_CLASSES, "none")),
        values=values,
        description=section.text("description"),
        aliases=section.texts("aliases"),
    )


def _dialect(top: Section) -> Dialect:
    if "dialect" not in top:
        return Dialect()
    section = top.section("dialect")
    section.expect_keys(("delimiter", "quotechar", "escapechar", "compression"))
    # a file tells by its first bytes whether it is packed, whatever anybody declares
    section.choice("compression", ("auto",), "auto")
    return Dialect(
        delimiter=section.character("delimiter") or ",",
        quotechar=section.character("quotechar") or '"',
        escapechar=section.character("escapechar"),
    )


def _retention(top: Section, columns: tuple[Column, ...]) -> Retention | None:
    """The declared period; what holds personal data has to declare one."""
    if "retention" not in top:
        personal = [column.delivered for column in columns if column.pii != "none"]
        if personal:
            raise top.error(
                f"the contract: {personal[0]!r} is personal data, so 'retention' must say how long"
                " rows are kept at most, and why"
            )
        return None
    section = top.section("retention")
    section.expect_keys(("at_most", "since", "because"))
    period, since = section.text("at_most"), section.text("since")
    if not _DAYS.fullmatch(period):
        raise section.error_at("at_most", f"at_most is {period!r}, expected days, e.g. 1095d")
    kinds = {column.delivered: column.type for column in columns}
    if kinds.get(since) not in TIME_KINDS:
        raise section.error_at("since", f"since is {since!r}, which is no column with a time")
    return Retention(int(period[:-1]), since, section.text("because"))


def _fallback_key(top: Section, columns: dict[str, Column]) -> FallbackKey | None:
    if "fallback_key" not in top:
        return None
    section = top.section("fallback_key")
    section.expect_keys(("absent", "ignoring"))
    fallback = FallbackKey(section.text("absent"), section.texts("ignoring"))
    for column in (fallback.absent, *fallback.ignoring):
        if column not in columns:
            raise section.error(f"fallback_key column {column!r} is not among the columns")
    return fallback


def _rules(top: Section, key: str, known: tuple[str, ...]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for section in top.sections(key):
        section.expect_keys(("rule", "severity", "because", "where"))
        where = section.text("where") if "where" in section else None
        name = section.text("rule")
        if (name in known) == (where is not None):
            raise section.error(
                f"{key}: {name!r} must be one of {', '.join(known)}, or have a 'where'"
            )
        if where and key == "file_rules":
            raise section.error_at("where", "a file rule has no 'where'")
        if any(rule.rule == name for rule in rules):
            raise section.error(f"{key} says {name!r} twice")
        severity = cast("Severity", section.choice("severity", SEVERITIES))
        rules.append(Rule(name, severity, section.text("because"), where))
    return tuple(rules)
