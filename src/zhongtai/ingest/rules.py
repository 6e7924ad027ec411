"""Row rules of a contract as one SQL query over a batch of delivered rows."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Column, Contract
from zhongtai.errors import ConfigurationError
from zhongtai.ingest.moments import read_times

if TYPE_CHECKING:
    import duckdb

_ALLOWED_AHEAD = timedelta(days=1)
_FIRST_MOMENT = pa.scalar(datetime(1900, 1, 1), pa.timestamp("us"))  # noqa: DTZ001  # naive UTC
_BLANK_LEADS = np.isin(np.arange(256), (0xC2, 0xE1, 0xE2, 0xE3))
# A vocabulary has a handful of words; a column with more distinct values than this holds none.
_MOST_WORDS = 100_000
# What is longer is no known word either when it is cut.
_LONGEST_WORD = 200
# The rules without a `where`, and what is said of a row that breaks them.
_OWN_RULES = {
    "key_missing": "a key column has no value",
    "event_time_unreadable": "the event time is missing or no time",
    "event_time_in_future": "the event time lies more than a day after the as-of of the run",
    "unknown_tag": "seeds/tags declares no tag of this id",
    "computed_tag": "the tag follows from a rule; set by hand it has no effect",
}
# The English name of the column that the rules about tags look at.
_TAG_COLUMN = "tag_id"
_TAG_RULES = ("unknown_tag", "computed_tag")
# Which tags are declared, and whether people set them by hand.
TagIds = Mapping[str, bool]
NO_TAGS: TagIds = MappingProxyType({})


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL text."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Shape:
    """What one look at a batch spares: columns without blanks, no use for the fallback key.

    `trim` treats each character and the digest reads every column: both cost more than the rest.
    """

    trimmed: frozenset[str]
    has_fallback_rows: bool

    @classmethod
    def of(cls, contract: Contract, batch: pa.RecordBatch) -> "Shape":
        """The shape of a batch, from the bytes of its key columns."""
        trimmed = frozenset(c for c in contract.key if not _may_have_blanks(batch.column(c)))
        fallback = contract.fallback_key
        if not fallback:
            return cls(trimmed, has_fallback_rows=False)
        column = batch.column(fallback.absent)
        has_values = fallback.absent in trimmed and not column.null_count
        is_empty = pc.any(pc.equal(pc.binary_length(column), 0)).as_py()
        return cls(trimmed, has_fallback_rows=not has_values or bool(is_empty))

    def trim(self, name: str) -> str:
        """SQL for the column without the blanks around it."""
        return quoted(name) if name in self.trimmed else f"trim({quoted(name)})"


UNKNOWN_SHAPE = Shape(frozenset(), has_fallback_rows=True)


def _may_have_blanks(column: Any) -> bool:
    """Whether a text array holds a space or what the blanks beyond ASCII begin with in UTF-8."""
    data = column.buffers()[2]
    if data is None or not len(column):
        return False
    offsets = np.frombuffer(column.buffers()[1], np.int32)
    first, last = offsets[column.offset], offsets[column.offset + len(column)]
    held = np.frombuffer(data, np.uint8)[first:last]
    return bool((held == 0x20).any() or _BLANK_LEADS[held[held >= 0xC2]].any())


def record_key_expression(contract: Contract, shape: Shape = UNKNOWN_SHAPE) -> str:
    """The trimmed key columns joined by `|`, as staging spells `record_key`.

    Where the column of the fallback key has no value, a digest of the whole row stands in for it.
    """
    parts = []
    for name in contract.key:
        fallback = contract.fallback_key
        value = shape.trim(name)
        if shape.has_fallback_rows and fallback and fallback.absent == name:
            parts.append(f"coalesce(nullif({value}, ''), {_row_digest(contract)})")
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


class RowRules:
    """The row rules of one contract at one as-of (aware). Not for use by several threads."""

    def __init__(self, contract: Contract, as_of: datetime, tags: TagIds = NO_TAGS) -> None:
        self._contract = contract
        self._tags = tags
        latest = (as_of + _ALLOWED_AHEAD).astimezone(UTC).replace(tzinfo=None)
        self._latest = f"timestamp '{latest.isoformat(sep=' ')}'"
        self._rules = {r.rule: r for r in contract.row_rules if r.where or r.rule in _OWN_RULES}
        self._queries: dict[Shape, str] = {}

    def apply(self, duck: "duckdb.DuckDBPyConnection", batch: pa.RecordBatch) -> Verdict:
        """Judge every row of a batch."""
        shape = Shape.of(self._contract, batch)
        if shape not in self._queries:
            self._queries[shape] = self._query(shape)
        times = self._times(duck, batch)
        duck.register("batch", pa.Table.from_batches([batch]).append_column("event_at", times))
        try:
            judged = duck.execute(self._queries[shape]).to_arrow_table()
        finally:
            duck.unregister("batch")
        warned = {rule: pc.sum(judged[rule]).as_py() or 0 for rule in self._of("warning")}
        return Verdict(
            _one(judged["key_hash"]).view(pa.int64()),
            times,
            _one(judged["broken"]),
            warned,
        )

    def explain(self, name: str) -> tuple[str, str, str]:
        """The column, the reason in words (no values), and the severity of a rule."""
        rule = self._rules[name]
        if rule.where:
            return "", rule.because, rule.severity
        if name == "key_missing":
            return ", ".join(self._required_key), _OWN_RULES[name], rule.severity
        if name in _TAG_RULES:
            return self._tag_column, _OWN_RULES[name], rule.severity
        return self._contract.event_time or "", _OWN_RULES[name], rule.severity

    @property
    def _required_key(self) -> list[str]:
        return [c for c in self._contract.key if self._contract.by_delivered[c].required]

    @property
    def _tag_column(self) -> str:
        return next(c.delivered for c in self._contract.columns if c.name == _TAG_COLUMN)

    def _of(self, severity: str) -> list[str]:
        return [name for name, rule in self._rules.items() if rule.severity == severity]

    def _query(self, shape: Shape) -> str:
        critical = "".join(
            f" when {self._offends(name, shape)} then {literal(name)}"
            for name in self._of("critical")
        )
        broken = f"case{critical} end" if critical else "null::varchar"
        warnings = "".join(
            f", coalesce({self._offends(name, shape)}, false) as {quoted(name)}"
            for name in self._of("warning")
        )
        key = record_key_expression(self._contract, shape)
        # MD5 rather than hash(): the value is stored, and hash() changes between versions
        return (
            "select md5_number_lower(record_key) as key_hash,"  # noqa: S608 - contracts
            f" {broken} as broken{warnings} from (select *, {key} as record_key from batch)"
        )

    def _times(self, duck: "duckdb.DuckDBPyConnection", batch: pa.RecordBatch) -> Any:
        event = self._contract.event_time
        if event is None:
            return pa.nulls(batch.num_rows, pa.timestamp("us"))
        times = read_times(duck, batch.column(event), self._contract.by_delivered[event].type)
        # 0001-01-01 stands for no time where a program has no word for that
        return pc.if_else(pc.greater_equal(times, _FIRST_MOMENT), times, None)

    def _offends(self, name: str, shape: Shape) -> str:
        """SQL that is true for an offending row."""
        rule = self._rules[name]
        if rule.where:
            return f"({rule.where})"
        if name == "key_missing":
            return " or ".join(f"coalesce({shape.trim(c)}, '') = ''" for c in self._required_key)
        tag = shape.trim(self._tag_column) if name in _TAG_RULES else ""
        if name == "unknown_tag":
            return f"not {_is_among(tag, self._tags)}"
        if name == "computed_tag":
            return _is_among(tag, (t for t, by_hand in self._tags.items() if not by_hand))
        return (
            "event_at is null" if name == "event_time_unreadable" else f"event_at > {self._latest}"
        )


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
            values = pc.utf8_slice_codeunits(pc.struct_field(counts, "values"), 0, _LONGEST_WORD)
            counted = zip(
                values.to_pylist(), pc.struct_field(counts, "counts").to_pylist(), strict=True
            )
            for value, count in counted:
                if value is not None:
                    seen[value] = seen.get(value, 0) + count

    def unknown(self) -> dict[str, int]:
        """By delivered column how many values are unknown words."""
        found = {column.delivered: self._unknown(column) for column in self._columns}
        return {name: count for name, count in found.items() if count}

    def _unknown(self, column: Column) -> int:
        known = {_word(value) for value in column.values} | self._null_words | {""}
        seen = self._seen[column.delivered]
        return sum(count for value, count in seen.items() if _word(value) not in known)


def read_null_words(project_dir: Path) -> frozenset[str]:
    """The words that mean "no value" (seeds/null_words.csv), lower case; none without the seed.

    Raises ConfigurationError for a file without that column.
    """
    file = project_dir / "seeds" / "null_words.csv"
    if not file.exists():
        return frozenset()
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        if "word" not in (reader.fieldnames or ()):
            raise ConfigurationError(
                f"{file}:1: expected a column word", hint="null_words.yml beside it says what it is"
            )
        return frozenset(row["word"].lower() for row in reader)


class DeclaredTags(Mapping[str, bool]):
    """The tags that seeds/tags/ declares, whatever their status; none without that folder.

    They are read when somebody asks first: that takes a second, and few files name tags. Then it
    raises ConfigurationError with file and line where a declaration is wrong.
    """

    def __init__(self, project_dir: Path) -> None:
        self._project_dir = project_dir

    @cached_property
    def _by_id(self) -> TagIds:
        from zhongtai.tags import load_tags

        if not (self._project_dir / "seeds" / "tags").is_dir():
            return NO_TAGS
        return {tag_id: tag.is_manual for tag_id, tag in load_tags(self._project_dir).items()}

    def __getitem__(self, tag_id: str) -> bool:
        return self._by_id[tag_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


def _is_among(expression: str, values: Iterable[str]) -> str:
    """SQL for whether a text is one of these."""
    listed = ", ".join(literal(value) for value in sorted(values))
    return f"list_contains([{listed}]::varchar[], {expression})"


def _word(value: str) -> str:
    """A word as vocabularies compare it: staging tidies in the same way."""
    import unicodedata

    return unicodedata.normalize("NFKC", value).strip(" \t\r\n'\u200b\ufeff\u00a0").lower()


def _one(column: Any) -> Any:
    """A chunked column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
