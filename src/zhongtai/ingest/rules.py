"""Row rules of a contract as one SQL query over a batch of delivered rows."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Column, Contract, Rule
from zhongtai.ingest.times import time_expression

if TYPE_CHECKING:
    import duckdb

_ALLOWED_AHEAD = timedelta(days=1)
# A vocabulary has a handful of words; a column with more distinct values than this holds none.
_MOST_WORDS = 100_000


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL text."""
    return "'" + text.replace("'", "''") + "'"


def record_key_expression(contract: Contract) -> str:
    """The trimmed key columns joined by `|`, as staging spells `record_key`.

    Where the column of the fallback key has no value, a digest of the whole row stands in for it.
    """
    parts = []
    for name in contract.key:
        value = f"nullif(trim({quoted(name)}), '')"
        if contract.fallback_key and contract.fallback_key.absent == name:
            parts.append(f"coalesce({value}, {_row_digest(contract)})")
        else:
            parts.append(f"coalesce({value}, '')")
    joined = ", '|', ".join(parts)
    return f"concat({joined})" if len(parts) > 1 else joined


def _row_digest(contract: Contract) -> str:
    ignored = contract.fallback_key.ignoring if contract.fallback_key else ()
    names = [c.delivered for c in contract.columns if c.delivered not in ignored]
    texts = ", chr(31), ".join(f"coalesce({quoted(name)}, '')" for name in (*names, "_extra"))
    return f"md5(concat({texts}))"


@dataclass(frozen=True)
class Verdict:
    """What the rules say about one batch; arrays are as long as the batch."""

    key_hash: Any
    event_at: Any
    broken: Any
    warned: dict[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether no row broke a critical rule."""
        return bool(self.broken.null_count == len(self.broken))


@dataclass
class RowRules:
    """The row rules of one contract at one as-of (aware). Not for use by several threads."""

    contract: Contract
    as_of: datetime
    _conditions: dict[str, tuple[Rule, str, str, str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.contract.row_rules:
            found = self._condition(rule)
            if found:
                self._conditions[rule.rule] = (rule, *found)

    def apply(self, duck: "duckdb.DuckDBPyConnection", batch: pa.RecordBatch) -> Verdict:
        """Judge every row of a batch."""
        duck.register("batch", pa.Table.from_batches([batch]))
        try:
            judged = duck.execute(self._query).to_arrow_table().combine_chunks()
        finally:
            duck.unregister("batch")
        warned = {rule.rule: pc.sum(judged[rule.rule]).as_py() or 0 for rule in self._of("warning")}
        return Verdict(
            _one(judged["key_hash"]).view(pa.int64()),
            _one(judged["event_at"]),
            _one(judged["broken"]),
            warned,
        )

    def explain(self, rule: str) -> tuple[str, str, str]:
        """The column, the reason in words (no values), and the severity of a rule."""
        declared, _, column, reason = self._conditions[rule]
        return column, reason, declared.severity

    def _of(self, severity: str) -> Sequence[Rule]:
        return [rule for rule, *_ in self._conditions.values() if rule.severity == severity]

    @cached_property
    def _query(self) -> str:
        event = self.contract.event_time
        event_at = "null::timestamp"
        if event:
            kind = self.contract.by_delivered[event].type
            event_at = time_expression(quoted(event), kind)
        critical = "".join(
            f" when {self._conditions[rule.rule][1]} then {literal(rule.rule)}"
            for rule in self._of("critical")
        )
        warnings = "".join(
            f", coalesce({self._conditions[rule.rule][1]}, false) as {quoted(rule.rule)}"
            for rule in self._of("warning")
        )
        broken = f"case{critical} end" if critical else "null::varchar"
        # MD5 rather than hash(): the value is stored, and hash() changes between versions
        return (
            "select md5_number_lower(record_key) as key_hash, event_at,"  # noqa: S608 - contracts
            f" {broken} as broken{warnings} from (select *,"
            f" {record_key_expression(self.contract)} as record_key, {event_at} as event_at"
            " from batch)"
        )

    def _condition(self, rule: Rule) -> tuple[str, str, str] | None:
        """SQL that is true for an offending row, the column to name, the reason in words."""
        event = self.contract.event_time or ""
        if rule.where:
            return f"({rule.where})", "", rule.because
        if rule.rule == "key_missing":
            columns = [c for c in self.contract.key if self.contract.by_delivered[c].required]
            blank = " or ".join(f"coalesce(trim({quoted(c)}), '') = ''" for c in columns)
            return blank, ", ".join(columns), "a key column has no value"
        if rule.rule == "event_time_unreadable":
            return "event_at is null", event, "the event time is missing or no time"
        if rule.rule == "event_time_in_future":
            latest = (self.as_of + _ALLOWED_AHEAD).astimezone(UTC).replace(tzinfo=None)
            return (
                f"event_at > timestamp '{latest.isoformat(sep=' ')}'",
                event,
                "the event time lies more than a day after the as-of of the run",
            )
        return None


class Vocabulary:
    """Counts values outside the known words of the enum columns of one file."""

    def __init__(self, contract: Contract, null_words: frozenset[str]) -> None:
        declared = contract.rule("unknown_value")
        self._columns = [c for c in contract.columns if c.values] if declared else []
        self._null_words = null_words
        self._seen: dict[str, dict[str, int]] = {c.delivered: {} for c in self._columns}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in a batch of rows that load."""
        for column in self._columns:
            seen = self._seen[column.delivered]
            if len(seen) > _MOST_WORDS:
                continue
            counts = pc.value_counts(batch.column(column.delivered))
            for entry in counts.to_pylist():
                if entry["values"] is not None:
                    seen[entry["values"]] = seen.get(entry["values"], 0) + entry["counts"]

    def unknown(self) -> dict[str, int]:
        """By delivered column how many values are unknown words."""
        found = {column.delivered: self._unknown(column) for column in self._columns}
        return {name: count for name, count in found.items() if count}

    def _unknown(self, column: Column) -> int:
        known = {_word(value) for value in column.values} | self._null_words | {""}
        seen = self._seen[column.delivered]
        return sum(count for value, count in seen.items() if _word(value) not in known)


def read_null_words(project_dir: Path) -> frozenset[str]:
    """The words that mean "no value" (seeds/null_words.csv), lower case; none without the seed."""
    file = project_dir / "seeds" / "null_words.csv"
    if not file.exists():
        return frozenset()
    with file.open(encoding="utf-8", newline="") as opened:
        return frozenset(row["word"].lower() for row in csv.DictReader(opened))


def _word(value: str) -> str:
    """A word as vocabularies compare it: staging tidies in the same way."""
    import unicodedata

    return unicodedata.normalize("NFKC", value).strip(" \t\r\n'\u200b\ufeff\u00a0").lower()


def _one(column: Any) -> Any:
    """A chunked column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
