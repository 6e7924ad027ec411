"""The shape of a contract: one delivered entity, its columns and its rules."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

Format = Literal["jsonl", "csv", "xlsx", "adf"]
Completion = Literal["done", "manifest", "stable"]
TimeRole = Literal["event", "attribute", "planned"]
Pii = Literal["none", "identifier", "contact", "name", "sensitive"]
Severity = Literal["critical", "warning"]

FORMATS = ("jsonl", "csv", "xlsx", "adf")
COMPLETIONS = ("done", "manifest", "stable")
TIME_ROLES = ("event", "attribute", "planned")
PII_CLASSES = ("none", "identifier", "contact", "name", "sensitive")
SEVERITIES = ("critical", "warning")

# How staging cleans a value; ms is an epoch that becomes a timestamp, yuan becomes fen.
CLEAN_KINDS = (
    "key", "text", "name", "code", "mobile", "email", "id_card", "vin", "ts", "date",
    "yuan", "fen", "int", "num", "bool", "json", "ms", "enum",
)  # fmt: skip
TIME_KINDS = ("ts", "ms", "date")

# Rules that the product evaluates itself; any other row rule needs a `where`.
ROW_RULES = (
    "key_missing",
    "event_time_unreadable",
    "event_time_in_future",
    "broken_record",
    "unknown_value",
    "unknown_tag",
    "computed_tag",
    "shared_value",
)
FILE_RULES = (
    "manifest_mismatch",
    "unreadable",
    "required_column_missing",
    "type_changed",
    "column_missing",
    "empty_file",
)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Dialect:
    """How delimited text is written; `escapechar` None means doubled quotes."""

    delimiter: str = ","
    quotechar: str = '"'
    escapechar: str | None = None


@dataclass(frozen=True)
class Column:
    """One delivered column: its spelling in the file and its name and type from staging on."""

    delivered: str
    name: str
    type: str
    required: bool
    time_role: TimeRole | None
    pii: Pii
    values: tuple[str, ...]
    description: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """What is checked, how hard it counts, and why.

    Critical quarantines (the row or the file), warning loads and counts. `where` is SQL over the
    delivered columns that is true for an offending row; rules without it are the product's own.
    """

    rule: str
    severity: Severity
    because: str
    where: str | None = None


@dataclass(frozen=True)
class Retention:
    """For how many days at most a row is kept after the time in `since` (delivered), and why."""

    days: int
    since: str
    because: str


@dataclass(frozen=True)
class FallbackKey:
    """Where the column `absent` has no value, the whole row except `ignoring` is the key."""

    absent: str
    ignoring: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """Everything known about one entity of one source."""

    source: str
    entity: str
    description: str
    owner: str
    impact: str
    format: Format
    path: str
    encodings: tuple[str, ...]
    dialect: Dialect
    completion: Completion
    stable_seconds: int
    key: tuple[str, ...]
    fallback_key: FallbackKey | None
    version: str | None
    event_time: str | None
    fresh_within: str
    retention: Retention | None
    columns: tuple[Column, ...]
    row_rules: tuple[Rule, ...]
    file_rules: tuple[Rule, ...]
    file: Path
    content_hash: str

    @property
    def name(self) -> str:
        """`crm.leads`."""
        return f"{self.source}.{self.entity}"

    @property
    def table(self) -> str:
        """`crm__leads`, the name of the raw table."""
        return f"{self.source}__{self.entity}"

    @property
    def is_immutable(self) -> bool:
        """Whether the first delivery of a key wins (no column orders versions)."""
        return self.version is None

    @property
    def fresh_for(self) -> timedelta:
        """`fresh_within` as a duration."""
        return timedelta(**{_UNITS[self.fresh_within[-1]]: int(self.fresh_within[:-1])})

    @cached_property
    def by_delivered(self) -> dict[str, Column]:
        """Columns by their canonical spelling in the file."""
        return {column.delivered: column for column in self.columns}

    @property
    def required_columns(self) -> tuple[Column, ...]:
        """Columns without which a file is quarantined whole."""
        return tuple(column for column in self.columns if column.required)

    def rule(self, name: str) -> Rule | None:
        """The declared row or file rule of that name, if any."""
        return next((r for r in (*self.row_rules, *self.file_rules) if r.rule == name), None)
