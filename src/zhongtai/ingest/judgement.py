"""Reading one file: its part, its quarantined rows and what the ledger will say about it."""

import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.ingest.parts import PartWriter
from zhongtai.ingest.rules import RowRules, TagIds, Vocabulary
from zhongtai.ingest.setaside import Reason, RowsWriter
from zhongtai.ingest.stillness import fetch, held_still
from zhongtai.landing import Delivery, LandingZone
from zhongtai.ledger import Level, Part, PartKind, QuarantineCount, delivery_id
from zhongtai.printable import printable

if TYPE_CHECKING:
    import duckdb

    from zhongtai.erasure.matching import Suppressor
    from zhongtai.readers import FileRejected

log = logging.getLogger(__name__)

# Notes that describe the file without asking anybody to look at it.
_QUIET_NOTES = ("encoding", "totals_row")
# Of each kind; a file may have a million unknown fields.
_MOST_NOTES = 50
_LONGEST_REASON = 2000


@dataclass(frozen=True)
class Bench:
    """What a judge works with: its own DuckDB connection and a folder for unfinished files."""

    zone: LandingZone
    folder: Path
    duck: "duckdb.DuckDBPyConnection"
    as_of: datetime
    null_words: frozenset[str]
    tags: TagIds = field(default_factory=dict)
    suppressor: "Suppressor | None" = None


@dataclass
class Judgement:
    """The outcome of reading one delivery; files still stand in the workspace."""

    delivery: Delivery
    sha256: str
    discovered_at: datetime
    local: Path
    rows_in: int = 0
    rule: str | None = None
    reason: str | None = None
    part: Path | None = None
    rows_loaded: int = 0
    min_event_at: datetime | None = None
    max_event_at: datetime | None = None
    rows_file: Path | None = None
    quarantine: list[QuarantineCount] = field(default_factory=list)
    rows_suppressed: int = 0
    names_erased: bool = False

    @property
    def delivery_id(self) -> str:
        """The id that the ledger row will have."""
        return delivery_id(self.delivery, self.sha256)

    def part_at(self, path: str, kind: PartKind) -> Part:
        """The part as the ledger knows it once it stands at `path` in the lake."""
        return Part(path, kind, self.rows_loaded, self.min_event_at, self.max_event_at)

    @property
    def is_whole(self) -> bool:
        """Whether the file is quarantined whole."""
        return self.rule is not None

    @property
    def rows_quarantined(self) -> int:
        """Rows set aside one by one, or all of them."""
        if self.is_whole:
            return self.rows_in
        return sum(count.rows for count in self.quarantine if count.level == "row")


def judge(bench: Bench, delivery: Delivery) -> Judgement:
    """Read and judge one complete file.

    Raises FileChanged where the file did not hold still, OSError where it cannot be read.
    """
    discovered_at = datetime.now(UTC)
    with held_still(bench.zone, delivery):
        local, sha256 = fetch(bench.zone, bench.folder, delivery)
        reach("land.fetched")
        judgement = Judgement(delivery, sha256, discovered_at, local)
        judge_content(bench, judgement)
        reach("land.part_written")
        if judgement.is_whole and local.is_symlink():
            # what is kept must be what was judged, so the copy is made before the last look
            copy = local.with_name(f"{local.name}.copy")
            shutil.copyfile(local, copy)
            copy.replace(local)
    return judgement


def judge_content(bench: Bench, judgement: Judgement) -> None:
    """Fill in the judgement from the bytes at `judgement.local`; never raises for their content."""
    from zhongtai import readers

    contract = judgement.delivery.contract
    try:
        with _reader_faults(judgement.delivery.file.label):
            with ThreadPoolExecutor(1) as counter:
                # another thread and another way to count: the two must agree
                counted = counter.submit(readers.count_rows, contract, judgement.local)
                if not _differences(judgement):
                    _read(bench, judgement)
            judgement.rows_in = counted.result()
            _check_manifest(judgement)
            _check_balance(judgement)
    except readers.FileRejected as rejected:
        _reject_whole(judgement, rejected)
        judgement.names_erased = _names_erased(bench, judgement.local)


def _differences(judgement: Judgement) -> tuple[str, ...]:
    """How the bytes differ from what their manifest says."""
    entry = judgement.delivery.entry
    if entry is None:
        return ()
    return entry.differences(size=judgement.local.stat().st_size, sha256=judgement.sha256)


def _check_manifest(judgement: Judgement) -> None:
    from zhongtai.readers import FileRejected

    entry = judgement.delivery.entry
    if entry is None:
        return
    found = _differences(judgement)
    if entry.rows is not None and entry.rows != judgement.rows_in:
        found = (*found, f"{judgement.rows_in} rows instead of {entry.rows}")
    if found:
        reason = f"not the file that {entry.manifest.rpartition('/')[2]} names: {', '.join(found)}"
        raise FileRejected("manifest_mismatch", reason, judgement.rows_in)


def _check_balance(judgement: Judgement) -> None:
    from zhongtai.readers import FileRejected

    out = judgement.rows_loaded + judgement.rows_quarantined + judgement.rows_suppressed
    if out != judgement.rows_in:
        raise FileRejected(
            "unbalanced",
            f"{judgement.rows_in} rows were counted, but {judgement.rows_loaded} read,"
            f" {judgement.rows_quarantined} refused and {judgement.rows_suppressed} suppressed",
            judgement.rows_in,
        )


def _read(bench: Bench, judgement: Judgement) -> None:
    from zhongtai import readers

    reader = readers.open_reader(judgement.delivery.contract, judgement.local)
    write_rows(bench, judgement, reader.batches(), lambda: reader.rejects)
    contract = judgement.delivery.contract
    told = Counter[str]()
    for note in reader.notes:
        told[note.rule] += 1
        if note.rule not in _QUIET_NOTES and told[note.rule] <= _MOST_NOTES:
            severity = _severity(contract, note.rule, "warning")
            judgement.quarantine.append(
                QuarantineCount("file", note.rule, note.column, note.reason, severity, 0)
            )
    for rule, notes in told.items():
        if rule not in _QUIET_NOTES and notes > _MOST_NOTES:
            more = QuarantineCount(
                "file", rule, "", f"and {notes - _MOST_NOTES} more like this",
                _severity(contract, rule, "warning"), 0,
            )  # fmt: skip
            judgement.quarantine.append(more)


def write_rows(
    bench: Bench, judgement: Judgement, batches: Iterable[pa.RecordBatch], rejects: Any
) -> None:
    """Write good rows to a part and refused ones beside it; `rejects` is called at the end."""
    contract = judgement.delivery.contract
    stem = bench.folder / judgement.delivery_id
    sieve = _Sieve(bench, contract, RowsWriter(stem.name, stem.with_suffix(".rows.parquet")))
    with PartWriter(contract, stem.name, stem.with_suffix(".parquet")) as part:
        for batch in batches:
            part.write(*sieve.sort(batch))
    refused = sieve.suppress_rejects(rejects())
    sieve.aside.add_rejects(refused)
    severity = _severity(contract, "broken_record", "critical")
    judgement.quarantine += [*_reject_counts(refused, severity), *sieve.counts()]
    judgement.part, judgement.rows_loaded = part.file, part.rows
    judgement.rows_file = sieve.aside.close()
    judgement.rows_suppressed, judgement.names_erased = sieve.suppressed, sieve.names_erased
    judgement.min_event_at, judgement.max_event_at = sieve.events.first, sieve.events.last


class _Sieve:
    """Sorts the rows of one file into those that load and those that a rule refuses."""

    def __init__(self, bench: Bench, contract: Contract, aside: RowsWriter) -> None:
        self.aside = aside
        self.events = _Span()
        self.suppressed = 0
        self.names_erased = False
        self._bench = bench
        self._contract = contract
        self._rules = RowRules(contract, bench.as_of, bench.tags)
        self._words = Vocabulary(contract, bench.null_words)
        self._refused: Counter[str] = Counter()
        self._warned: Counter[str] = Counter()

    def sort(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Any]:
        """The rows of a batch that load, and their key hashes."""
        verdict = self._rules.apply(self._bench.duck, batch)
        hashes, event_at, broken = verdict.key_hash, verdict.event_at, verdict.broken
        batch, stays = self._suppress(batch, event_at)
        if stays is not None:
            batch, hashes, event_at, broken = (
                x.filter(stays) for x in (batch, hashes, event_at, broken)
            )
        if broken.null_count < len(broken):
            self._set_aside(batch, broken)
            good = pc.is_null(broken)
            batch, hashes, event_at = (x.filter(good) for x in (batch, hashes, event_at))
        self._warned.update(verdict.warned)
        self.events.add(event_at)
        self._words.add(batch)
        return batch, hashes

    def counts(self) -> Iterator[QuarantineCount]:
        """What was refused and warned about."""
        for level, counted in (("row", self._refused), ("value", self._warned)):
            for rule, rows in counted.items():
                if rows:
                    column, reason, severity = self._rules.explain(rule)
                    yield QuarantineCount(
                        cast("Level", level), rule, column, reason, severity, rows
                    )
        for column, rows in self._words.unknown().items():
            reason = "the value is not among the known words"
            yield QuarantineCount("value", "unknown_value", column, reason, "warning", rows)

    def suppress_rejects(self, rejects: pa.Table) -> pa.Table:
        """The rejects that name nobody who was erased, as far as such a text can tell."""
        suppressor = self._bench.suppressor
        if suppressor is None or not suppressor.is_needed or not rejects.num_rows:
            return rejects
        gone = suppressor.find_in_texts(self._bench.duck, rejects["original"].combine_chunks())
        left = rejects.filter(pc.invert(gone))
        self._count_suppressed(rejects.num_rows - left.num_rows)
        return left

    def _suppress(self, batch: pa.RecordBatch, event_at: Any) -> tuple[pa.RecordBatch, Any]:
        """Keep erased persons out: the batch without what names them in passing, and who stays."""
        suppressor = self._bench.suppressor
        if suppressor is None:
            return batch, None
        found = suppressor.apply(self._bench.duck, self._contract, batch, event_at)
        self.names_erased |= found.batch is not batch
        if found.stays is not None:
            self._count_suppressed(batch.num_rows - (pc.sum(found.stays).as_py() or 0))
        return found.batch, found.stays

    def _count_suppressed(self, rows: int) -> None:
        self.suppressed += rows
        self.names_erased |= bool(rows)

    def _set_aside(self, batch: pa.RecordBatch, broken: Any) -> None:
        bad = pc.is_valid(broken)
        broken = broken.filter(bad)
        counted = {c["values"]: c["counts"] for c in pc.value_counts(broken).to_pylist()}
        self._refused.update(counted)
        reasons = [Reason(rule, *self._rules.explain(rule)[:2]) for rule in counted]
        self.aside.add_rows(self._bench.duck, batch.filter(bad), broken, reasons)


def _reject_counts(rejects: pa.Table, severity: str) -> Iterator[QuarantineCount]:
    counted = rejects.group_by("rule", use_threads=False).aggregate(
        [("reason", "first"), ("line", "count")]
    )
    for row in counted.to_pylist():
        rule, reason, rows = row["rule"], row["reason_first"], row["line_count"]
        yield QuarantineCount("row", rule, "", reason, severity, rows)


def _severity(contract: Contract, rule: str, otherwise: str) -> str:
    declared = contract.rule(rule)
    return declared.severity if declared else otherwise


def _names_erased(bench: Bench, file: Path) -> bool:
    """Whether a file that no reader could make sense of names somebody who was erased."""
    if bench.suppressor is None:
        return False
    from zhongtai.erasure.texts import list_words

    return bench.suppressor.is_needed and bench.suppressor.knows(bench.duck, list_words(file))


def _reject_whole(judgement: Judgement, rejected: "FileRejected") -> None:
    judgement.rule = rejected.rule
    judgement.reason = printable(rejected.reason, _LONGEST_REASON)
    judgement.rows_in = rejected.rows_in
    judgement.part = judgement.rows_file = None
    judgement.rows_loaded = judgement.rows_suppressed = 0
    judgement.quarantine = [
        QuarantineCount("file", rejected.rule, "", judgement.reason, "critical", rejected.rows_in)
    ]


@contextmanager
def _reader_faults(label: str) -> Iterator[None]:
    """Turn what a reader did not foresee into a quarantined file: one file must not stop the rest.

    What may pass by itself (disk, network, memory) is not the file's fault and goes through.
    """
    import duckdb

    from zhongtai.readers import FileRejected

    try:
        yield
    except (OSError, MemoryError, ZhongtaiError, duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except Exception as error:
        fault = type(error).__name__
        # no message and no trace: both may quote what the file holds
        log.error("%s cannot be read: %s", label, fault)
        raise FileRejected("unreadable", f"the reader failed with {fault}") from error


class _Span:
    """The first and the last of naive UTC times, as aware ones."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, times: Any) -> None:
        found = pc.min_max(times).as_py()
        if found["min"] is None:
            return
        first, last = found["min"].replace(tzinfo=UTC), found["max"].replace(tzinfo=UTC)
        self.first = min(first, self.first or first)
        self.last = max(last, self.last or last)
