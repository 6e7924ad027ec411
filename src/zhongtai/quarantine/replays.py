"""Judging again what was set aside, with the contracts as they are now, exactly once.

Rows that load now become a part of their own, which counts from the transaction on that moves the
counts. Which rows were replayed is read from those parts, so a crash at any point changes nothing.
"""

import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg.rows import class_row

from zhongtai.access import LOADER
from zhongtai.contracts import Contract, Contracts
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.erasure.tombstones import load_suppressor
from zhongtai.errors import ZhongtaiError
from zhongtai.ingest.archive import archived_file
from zhongtai.ingest.drain import open_duckdb, share_tombstones
from zhongtai.ingest.judgement import Bench, Judgement, judge_content, write_rows
from zhongtai.ingest.parts import Lake, part_path
from zhongtai.ingest.rules import DeclaredTags, read_null_words
from zhongtai.ingest.setaside import (
    REJECTS_SCHEMA,
    read_rows,
    records_of,
    rows_file,
    stored_name,
    whole_file,
)
from zhongtai.ingest.settle import Settlement, entity_lock
from zhongtai.ingest.workspace import open_workspace
from zhongtai.landing import Delivery, LandedFile, LandingZone, ManifestEntry
from zhongtai.ledger import (
    count_parts,
    record_part,
    record_replayed_file,
    record_replayed_rows,
    record_replayed_rule,
)
from zhongtai.quarantine.browse import EVERYTHING, Selection, find_delivery
from zhongtai.runs import Run
from zhongtai.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class ReplayReport:
    """What a replay did: rows that load now, rows still refused, files that load now or not.

    `entities`: rows that load now by `source.entity`.
    """

    rows_loaded: int = 0
    rows_duplicate: int = 0
    rows_refused: int = 0
    files_loaded: int = 0
    files_refused: int = 0
    entities: dict[str, int] = field(default_factory=dict)

    def add_loaded(self, entity: str, rows: int) -> None:
        """Count rows of an entity that load now."""
        self.entities[entity] = self.entities.get(entity, 0) + rows


@dataclass(frozen=True)
class _Candidate:
    """A ledger row with something set aside."""

    delivery_id: str
    source: str
    entity: str
    file: str
    sha256: str
    bytes: int
    modified_at: datetime
    exported_at: datetime | None
    marker: str
    status: str

    @property
    def name(self) -> str:
        return f"{self.source}.{self.entity}"


def replay(
    settings: Settings, contracts: Contracts, run: Run, selection: Selection = EVERYTHING
) -> ReplayReport:
    """Judge quarantined rows and files again; what loads now moves in the ledger.

    Rows whose text no reader could make sense of need the file itself, in the landing zone or the
    archive; without it they stay. Raises ConfigurationError for a delivery that is not there.
    """
    report, settings = ReplayReport(), settings.acting_as(LOADER)
    with ExitStack() as stack:
        connection = stack.enter_context(connect(settings, autocommit=True))
        if selection.delivery_id is not None:
            find_delivery(connection, selection.delivery_id)
        folder = stack.enter_context(open_workspace(settings))
        duck = stack.enter_context(open_duckdb(settings))
        stack.enter_context(share_tombstones(settings, connection))
        settlement = Settlement(settings, connection, run, Lake(settings), duck)
        bench = Bench(
            LandingZone(settings.landing_url),
            folder,
            duck,
            run.as_of,
            read_null_words(settings.project_dir),
            DeclaredTags(settings.project_dir),
            load_suppressor(settings, connection),
        )
        replayer = _Replayer(settlement, bench, report)
        for candidate in _candidates(connection, selection):
            contract = contracts.get(candidate.name)
            if contract:
                with entity_lock(settings, connection, contract):
                    replayer.replay(contract, candidate, selection.rule)
    return report


def _candidates(connection: psycopg.Connection, selection: Selection) -> Sequence[_Candidate]:
    cursor = connection.cursor(row_factory=class_row(_Candidate))
    return cursor.execute(
        "select delivery_id, source, entity, file, sha256, bytes, modified_at, exported_at, marker,"
        " status from ledger.deliveries d where (rows_quarantined > 0 or status = 'quarantined')"
        " and (%(source)s::text is null or source = %(source)s)"
        " and (%(entity)s::text is null or entity = %(entity)s)"
        " and (%(delivery_id)s::text is null or delivery_id = %(delivery_id)s)"
        " and (%(rule)s::text is null or exists (select 1 from ledger.quarantine q where"
        " q.delivery_id = d.delivery_id and q.rule = %(rule)s))"
        " order by exported_at nulls first, file_order, file, sequence",
        asdict(selection),
    ).fetchall()


class _Replayer:
    def __init__(self, settlement: Settlement, bench: Bench, report: ReplayReport) -> None:
        self._settlement = settlement
        self._settings = settlement.settings
        self._connection = settlement.connection
        self._bench = bench
        self._report = report

    def replay(self, contract: Contract, candidate: _Candidate, rule: str | None) -> None:
        """Judge one delivery again; the caller holds the entity's lock."""
        if self._status(candidate) == "quarantined":
            self._replay_file(contract, candidate)
        else:
            self._replay_rows(contract, candidate, rule)

    def _status(self, candidate: _Candidate) -> str:
        """The status now: another process may have replayed it before we had the lock."""
        found = self._connection.execute(
            "select status from ledger.deliveries where delivery_id = %s", [candidate.delivery_id]
        ).fetchone()
        return found[0] if found else ""

    def _replay_file(self, contract: Contract, candidate: _Candidate) -> None:
        name = candidate.file.rpartition("/")[2]
        kept = whole_file(
            self._settings, candidate.source, candidate.entity, candidate.sha256, name
        )
        if not kept.exists():
            self._report.files_refused += 1
            return
        judgement = self._judgement(contract, candidate, kept)
        judge_content(self._bench, judgement)
        if judgement.is_whole:
            self._report.files_refused += 1
            return
        entry = self._settlement.entry_of(contract, judgement)
        with self._connection.transaction():
            self._settlement.place(judgement, entry)
            record_replayed_file(self._connection, entry, contract, self._settlement.run)
            reach("ledger.replay_recorded")
        reach("ledger.replay_committed")
        self._report.files_loaded += 1
        self._report.rows_loaded += entry.counts.loaded
        self._report.rows_duplicate += entry.counts.duplicate
        self._report.add_loaded(contract.name, entry.counts.loaded)
        if not self._is_needed(candidate):
            shutil.rmtree(kept.parent, ignore_errors=True)
            reach("ledger.replayed_file_removed")

    def _is_needed(self, candidate: _Candidate) -> bool:
        """Whether the same bytes wait under another delivery, which has no copy of its own."""
        found = self._connection.execute(
            "select count(*) from ledger.deliveries where source = %s and entity = %s"
            " and sha256 = %s and status = 'quarantined'",
            [candidate.source, candidate.entity, candidate.sha256],
        ).fetchone()
        return bool(found and found[0])

    def _replay_rows(self, contract: Contract, candidate: _Candidate, rule: str | None) -> None:
        rows = self._remaining(candidate)
        if rule:
            rows = rows.filter(pc.equal(rows["rule"], rule))
        if not rows.num_rows:
            return
        judgement = self._judgement(contract, candidate, Path())
        batches = self._batches(contract, candidate, rows)
        write_rows(self._bench, judgement, batches, REJECTS_SCHEMA.empty_table)
        # rows of erased persons stay until the erasure takes them out
        self._report.rows_refused += rows.num_rows - judgement.rows_loaded
        if judgement.part and judgement.rows_loaded:
            self._settle_rows(judgement, judgement.part, _rules_of(judgement.part, rows))

    def _settle_rows(self, judgement: Judgement, file: Path, rules: Counter[str]) -> None:
        connection, run = self._connection, self._settlement.run
        contract, delivery = judgement.delivery.contract, judgement.delivery_id
        loaded = self._settlement.count_new_rows(contract, judgement)
        duplicate = judgement.rows_loaded - loaded
        number = count_parts(connection, delivery)
        path = part_path(contract, judgement.sha256, f"-r{number}")
        with connection.transaction():
            self._settlement.lake.place(file, path)
            record_part(connection, delivery, judgement.part_at(path, "replay"), run)
            record_replayed_rows(connection, delivery, loaded, duplicate, run)
            for rule, count in rules.items():
                record_replayed_rule(connection, delivery, "row", rule, count)
            reach("ledger.replay_recorded")
        reach("ledger.replay_committed")
        self._report.rows_loaded += loaded
        self._report.rows_duplicate += duplicate
        self._report.add_loaded(contract.name, loaded)

    def _remaining(self, candidate: _Candidate) -> pa.Table:
        """Quarantined rows of a delivery that no earlier replay loaded."""
        rows = read_rows(
            rows_file(self._settings, candidate.source, candidate.entity, candidate.sha256)
        )
        parts = self._connection.execute(
            "select part from ledger.parts where delivery_id = %s and kind = 'replay'",
            [candidate.delivery_id],
        ).fetchall()
        for (part,) in parts:
            done = self._settlement.lake.read_column(part, "_row_number")
            rows = rows.filter(pc.invert(pc.is_in(rows["line"], value_set=done)))
        return rows

    def _batches(
        self, contract: Contract, candidate: _Candidate, rows: pa.Table
    ) -> Iterator[pa.RecordBatch]:
        """The rows as a reader would hand them over: from their values, else from the file."""
        from zhongtai import readers

        read = rows.filter(pc.is_valid(rows["record"]))
        if read.num_rows:
            yield from records_of(self._bench.duck, contract, read)
        lines = rows.filter(pc.is_null(rows["record"]))["line"].combine_chunks()
        original = self._original(candidate) if len(lines) else None
        if original is None:
            return
        try:
            for batch in readers.open_reader(contract, original).batches():
                yield batch.filter(pc.is_in(batch["_row_number"], value_set=lines))
        except readers.FileRejected as rejected:
            log.warning("%s stays as it is: %s", candidate.file, rejected.rule)

    def _original(self, candidate: _Candidate) -> Path | None:
        """The delivered file, if it is still somewhere with the same bytes."""
        for place in self._places(candidate):
            if place.is_file():
                with place.open("rb") as opened:
                    if hashlib.file_digest(opened, "sha256").hexdigest() == candidate.sha256:
                        return place
        return None

    def _places(self, candidate: _Candidate) -> Iterator[Path]:
        name = candidate.file.rpartition("/")[2]
        source, entity = candidate.source, candidate.entity
        yield archived_file(self._settings, source, entity, candidate.sha256, name)
        if landed := self._landed(candidate):
            yield landed

    def _landed(self, candidate: _Candidate) -> Path | None:
        """What lies in the landing zone under its path; a copy of what is elsewhere."""
        zone = self._bench.zone
        try:
            found = zone.find_again(candidate.file)
            # another file under the same name need not be fetched
            if found is None or found.bytes != candidate.bytes:
                return None
            if zone.is_local:
                return Path(found.location)
            copy = self._bench.folder / f"{candidate.sha256}-{stored_name(found.name)}"
            zone.copy(found, copy)
        except (FileNotFoundError, PermissionError, ZhongtaiError) as error:
            why = error.message if isinstance(error, ZhongtaiError) else "gone or closed to us"
            log.warning("%s cannot be had from the landing zone: %s", candidate.file, why)
            return None
        return copy

    @staticmethod
    def _judgement(contract: Contract, candidate: _Candidate, local: Path) -> Judgement:
        file = LandedFile(candidate.file, str(local), candidate.bytes, candidate.modified_at)
        exported_at = candidate.exported_at or candidate.modified_at
        entry = ManifestEntry.of_marker(candidate.marker, file.name, exported_at)
        delivery = Delivery(contract, file, candidate.marker, entry)
        return Judgement(delivery, candidate.sha256, datetime.now(UTC), local)


def _rules_of(part: Path, rows: pa.Table) -> Counter[str]:
    """How many rows of a part had broken which rule."""
    loaded = pq.read_table(part, columns=["_row_number"])["_row_number"]
    rules = rows.filter(pc.is_in(rows["line"], value_set=loaded))["rule"]
    return Counter({c["values"]: c["counts"] for c in pc.value_counts(rules).to_pylist()})
