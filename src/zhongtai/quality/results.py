"""What a check is, what became of it, and what a check may look at."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import psycopg

from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from zhongtai.quality.drift import Comparison

Severity = Literal["critical", "warning", "info"]
Outcome = Literal["passed", "failed", "raised", "missing"]
SEVERITIES = ("critical", "warning", "info")
OUTCOMES = ("passed", "failed", "raised", "missing")

# what databases and their drivers put around a message: their name, the query, a link
_DRIVER = re.compile(r"^\(\w+\.\w+\) ")
_QUERY = re.compile(r" ?(LINE \d+: |\[SQL: |\(Background on this error at: ).*")
_QUOTED_PATH = re.compile(r'"[^"]*/([^"/]*)"')
_PATH = re.compile(r"(?<![\w/])(?:\w+:/)?/(?:[^\s/'\"]+/)+([^\s/'\"]*)")
_QUOTED = re.compile(r"'[^']*'")
_LONG_NUMBER = re.compile(r"[0-9Xx]{6,}")
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Check:
    """A check that every candidate must have gone through."""

    suite: str
    expectation: str
    severity: Severity
    because: str


@dataclass(frozen=True)
class CheckResult:
    """What became of a check. `observed` holds counts and names of tables, never a value."""

    suite: str
    expectation: str
    severity: Severity
    outcome: Outcome
    observed: str
    because: str


@dataclass(frozen=True)
class Finding:
    """What one of our own checks found."""

    is_good: bool
    observed: str


@dataclass(frozen=True)
class Evidence:
    """What our own checks look at: the candidate (read only), the ledger, the building run."""

    settings: Settings
    warehouse: "DuckDBPyConnection"
    ledger: psycopg.Connection
    build_run_id: str

    @cached_property
    def footers(self) -> Mapping[str, int | str]:
        """Of every part that the ledger counts its rows, or why it cannot be read."""
        from zhongtai.ingest.parts import Lake

        parts = self.ledger.execute("select part from ledger.parts order by part").fetchall()
        return Lake(self.settings).inspect(part for (part,) in parts)

    @cached_property
    def drift(self) -> "Comparison":
        """The candidate's measures beside their history, taken once for all that asks."""
        from zhongtai.quality.drift import compare

        return compare(self)

    def number(self, query: str) -> int:
        """The one number that a query over the candidate gives; 0 for NULL."""
        row = self.warehouse.execute(query).fetchone()
        return int(row[0] or 0) if row else 0

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the candidate holds the table or view."""
        found = self.warehouse.execute(
            "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
            [schema, table],
        )
        return found.fetchone() is not None


@dataclass(frozen=True)
class OwnCheck:
    """A check that needs more than one table of the candidate, and the function that makes it."""

    check: Check
    find: Callable[[Evidence], Finding]

    def run(self, evidence: Evidence) -> CheckResult:
        """Make the check. An error inside it is its result: it blocks, and the others still run."""
        try:
            finding = self.find(evidence)
        except Exception as error:
            return result(self.check, "raised", explain(error))
        return result(self.check, "passed" if finding.is_good else "failed", finding.observed)


def result(check: Check, outcome: Outcome, observed: str) -> CheckResult:
    """The result of a check."""
    return CheckResult(
        check.suite, check.expectation, check.severity, outcome, observed, check.because
    )


def explain(error: BaseException | str) -> str:
    """An error in one line, without query, folders of this machine and what could be data."""
    if isinstance(error, ZhongtaiError):
        name, told = "", "; what to do: ".join(filter(None, (error.message, error.hint)))
    else:
        name, told = "" if isinstance(error, str) else f"{type(error).__name__}: ", str(error)
    text = _QUERY.sub("", _DRIVER.sub("", " ".join(told.split())))
    text = _PATH.sub(r"…/\1", _QUOTED_PATH.sub(r'"…/\1"', text))
    text = _LONG_NUMBER.sub("…", _QUOTED.sub("'…'", text))
    return f"{name}{text}"[:_LONGEST_MESSAGE]
