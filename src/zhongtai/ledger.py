"""The ledger: what arrived, what became of every row, which Parquet parts count."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import psycopg

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.errors import BalanceError
from zhongtai.landing import Delivery, LandedFile
from zhongtai.masks import mask_told
from zhongtai.printable import printable
from zhongtai.runs import Run

_LONGEST_COLUMN, _LONGEST_REASON = 200, 2000

Status = Literal["loaded", "duplicate", "quarantined"]
Level = Literal["file", "row", "value"]
PartKind = Literal["delivery", "replay"]


@dataclass(frozen=True)
class QuarantineCount:
    """How many rows of a delivery one rule set aside (or warned about), and why."""

    level: Level
    rule: str
    column: str
    reason: str
    severity: str
    rows: int

    def __post_init__(self) -> None:
        # the ledger is read by many, so it quotes no person
        object.__setattr__(self, "column", mask_told(self.column))
        object.__setattr__(self, "reason", mask_told(self.reason))


@dataclass(frozen=True)
class Counts:
    """The rows of one delivery; `rows_in` is counted apart from the loader."""

    rows_in: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicate: int = 0
    suppressed: int = 0

    def check(self, file: str) -> None:
        """Raise BalanceError unless every row in went exactly one way."""
        out = self.loaded + self.quarantined + self.duplicate + self.suppressed
        if out != self.rows_in:
            raise BalanceError(
                f"{file}: {self.rows_in} rows in, but {self.loaded} loaded + {self.quarantined}"
                f" quarantined + {self.duplicate} duplicate + {self.suppressed} suppressed = {out}",
                hint="this is a fault of zhongtai; nothing of the file was recorded",
            )


@dataclass(frozen=True)
class Part:
    """A Parquet file of the raw zone, `path` relative to the lake; times are aware UTC."""

    path: str
    kind: PartKind
    rows: int
    min_event_at: datetime | None = None
    max_event_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """What the ledger says about one delivery."""

    delivery_id: str
    source: str
    entity: str
    file: str
    sha256: str
    bytes: int
    modified_at: datetime
    exported_at: datetime | None
    marker: str
    status: Status
    counts: Counts
    discovered_at: datetime
    rule: str | None = None
    reason: str | None = None
    part: Part | None = None
    quarantine: tuple[QuarantineCount, ...] = ()
    names_erased: bool = False

    @property
    def is_dropped(self) -> bool:
        """Whether a file that would be quarantined whole is not kept: it names erased persons."""
        return self.status == "quarantined" and self.names_erased


def new_entry(
    delivery: Delivery, sha256: str, status: Status, counts: Counts, discovered_at: datetime
) -> Entry:
    """An entry for a delivery. Its id depends only on what was observed: a retry has the same."""
    contract, file = delivery.contract, delivery.file
    return Entry(
        delivery_id=delivery_id(delivery, sha256),
        source=contract.source,
        entity=contract.entity,
        file=file.label,
        sha256=sha256,
        bytes=file.bytes,
        modified_at=file.modified_at,
        exported_at=delivery.exported_at,
        marker=delivery.marker,
        status=status,
        counts=counts,
        discovered_at=discovered_at,
    )


def delivery_id(delivery: Delivery, sha256: str) -> str:
    """The id of these bytes, at this path, at this time, judged by this marker."""
    file = delivery.file
    seen = (delivery.contract.name, file.label, sha256, file.modified_at.isoformat())
    return hashlib.sha256("\x1f".join((*seen, delivery.marker)).encode()).hexdigest()[:32]


def record(connection: psycopg.Connection, entry: Entry, contract: Contract, run: Run) -> None:
    """Write a delivery, its quarantine counts and its part; the caller holds the transaction.

    Raises BalanceError where the rows do not add up.
    """
    entry.counts.check(entry.file)
    part = entry.part
    connection.execute(
        "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
        " modified_at, exported_at, marker, status, rule, reason, rows_in, rows_loaded,"
        " rows_quarantined, rows_duplicate, rows_suppressed, part, contract_hash, min_event_at,"
        " max_event_at, as_of, discovered_at, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
        " %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            entry.delivery_id, entry.source, entry.entity, entry.file, entry.sha256, entry.bytes,
            entry.modified_at, entry.exported_at, entry.marker, entry.status, entry.rule,
            entry.reason, entry.counts.rows_in, entry.counts.loaded, entry.counts.quarantined,
            entry.counts.duplicate, entry.counts.suppressed, part and part.path,
            contract.content_hash, part and part.min_event_at, part and part.max_event_at,
            run.as_of, entry.discovered_at, run.run_id,
        ],
    )  # fmt: skip
    reach("ledger.delivery_written")
    _record_named(connection, entry)
    record_quarantine(connection, entry.delivery_id, entry.quarantine)
    if part:
        record_part(connection, entry.delivery_id, part, run)


def _record_named(connection: psycopg.Connection, entry: Entry) -> None:
    """Note that the file, as it was delivered, names somebody who was erased."""
    if entry.names_erased:
        connection.execute(
            "insert into erasure.named_files (delivery_id, is_dropped) values (%s, %s)"
            " on conflict (delivery_id) do nothing",
            [entry.delivery_id, entry.is_dropped],
        )


def record_quarantine(
    connection: psycopg.Connection, delivery: str, counts: Sequence[QuarantineCount]
) -> None:
    """Write what was set aside or warned about; equal rules add up.

    Columns and reasons may quote names from the file: they are cut to what the index can hold.
    """
    for count in counts:
        connection.execute(
            "insert into ledger.quarantine as q (delivery_id, level, rule, column_name, reason,"
            " severity, rows) values (%s, %s, %s, %s, %s, %s, %s)"
            " on conflict (delivery_id, level, rule, column_name)"
            " do update set rows = q.rows + excluded.rows",
            [
                delivery, count.level, count.rule, printable(count.column, _LONGEST_COLUMN),
                printable(count.reason, _LONGEST_REASON), count.severity, count.rows,
            ],
        )  # fmt: skip


def record_part(connection: psycopg.Connection, delivery: str, part: Part, run: Run) -> None:
    """Make a Parquet file count."""
    connection.execute(
        "insert into ledger.parts (part, delivery_id, kind, rows, min_event_at, max_event_at,"
        " run_id) values (%s, %s, %s, %s, %s, %s, %s)",
        [
            part.path, delivery, part.kind, part.rows, part.min_event_at, part.max_event_at,
            run.run_id,
        ],
    )  # fmt: skip


def loaded_rows(connection: psycopg.Connection, contract: Contract, sha256: str) -> int | None:
    """The rows of the loaded delivery with these bytes; None where there is none."""
    found = connection.execute(
        "select rows_in from ledger.deliveries"
        " where source = %s and entity = %s and sha256 = %s and status = 'loaded'",
        [contract.source, contract.entity, sha256],
    ).fetchone()
    return found[0] if found else None


def has_deliveries(connection: psycopg.Connection) -> bool:
    """Whether anything was ever delivered, whatever became of it."""
    found = connection.execute("select exists(select 1 from ledger.deliveries)").fetchone()
    return bool(found and found[0])


def is_recorded(connection: psycopg.Connection, delivery: str) -> bool:
    """Whether the ledger has a row for this delivery id."""
    found = connection.execute(
        "select 1 from ledger.deliveries where delivery_id = %s", [delivery]
    ).fetchone()
    return found is not None


def loaded_parts(
    connection: psycopg.Connection,
    contract: Contract,
    within: tuple[datetime | None, datetime | None] = (None, None),
) -> list[str]:
    """Paths of the parts that count, in loading order.

    `within` leaves out parts whose event times lie wholly outside the two.
    """
    found = connection.execute(
        "select p.part from ledger.parts p join ledger.deliveries d using (delivery_id)"
        " where d.source = %(source)s and d.entity = %(entity)s and p.rows > 0"
        " and (%(first)s::timestamptz is null or p.max_event_at is null"
        "      or p.max_event_at >= %(first)s)"
        " and (%(last)s::timestamptz is null or p.min_event_at is null"
        "      or p.min_event_at <= %(last)s)"
        " order by p.sequence",
        {
            "source": contract.source,
            "entity": contract.entity,
            "first": within[0],
            "last": within[1],
        },
    )
    return [row[0] for row in found]


def all_parts(connection: psycopg.Connection, contract: Contract) -> set[str]:
    """Paths of every part of the entity that counts, empty ones included."""
    found = connection.execute(
        "select p.part from ledger.parts p join ledger.deliveries d using (delivery_id)"
        " where d.source = %s and d.entity = %s",
        [contract.source, contract.entity],
    )
    return {row[0] for row in found}


class LandingMemory:
    """What the ledger remembers about the landing zone (see `landing.Memory`)."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def settled(self, contract: Contract, files: Collection[LandedFile]) -> set[LandedFile]:
        """Files that were loaded, or were duplicates, with this size and time."""
        return {
            file
            for file, status, _ in self._known(contract, files)
            if status in ("loaded", "duplicate")
        }

    def judged(self, contract: Contract, deliveries: Collection[Delivery]) -> set[LandedFile]:
        """Files that were quarantined whole with this size, time and marker."""
        markers = {delivery.file: delivery.marker for delivery in deliveries}
        return {
            file
            for file, status, marker in self._known(contract, markers)
            if status == "quarantined" and markers[file] == marker
        }

    def recorded(self, contract: Contract, labels: Collection[str]) -> set[str]:
        """Those of the paths under which something was ever recorded."""
        found = self._connection.execute(
            "select distinct file from ledger.deliveries"
            " where source = %s and entity = %s and file = any(%s)",
            [contract.source, contract.entity, list(labels)],
        )
        return {row[0] for row in found}

    def unchanged_since(self, contract: Contract, file: LandedFile) -> datetime:
        """When the file was first seen with this size and time; remembers a new sight."""
        found = self._connection.execute(
            "insert into ledger.observations as o (source, entity, file, bytes, modified_at)"
            " values (%s, %s, %s, %s, %s) on conflict (source, entity, file) do update set"
            " bytes = excluded.bytes, modified_at = excluded.modified_at, first_seen_at ="
            " case when (o.bytes, o.modified_at) = (excluded.bytes, excluded.modified_at)"
            " then o.first_seen_at else clock_timestamp() end returning first_seen_at",
            [contract.source, contract.entity, file.label, file.bytes, file.modified_at],
        ).fetchone()
        return found[0] if found else datetime.now(UTC)

    def _known(
        self, contract: Contract, files: Collection[LandedFile]
    ) -> list[tuple[LandedFile, str, str]]:
        seen = {(file.label, file.bytes, file.modified_at): file for file in files}
        found = self._connection.execute(
            "select file, bytes, modified_at, status, marker from ledger.deliveries"
            " where source = %s and entity = %s and file = any(%s)",
            [contract.source, contract.entity, [file.label for file in files]],
        )
        return [
            (seen[label, size, modified_at], status, marker)
            for label, size, modified_at, status, marker in found
            if (label, size, modified_at) in seen
        ]


def count_parts(connection: psycopg.Connection, delivery: str) -> int:
    """How many parts a delivery has."""
    found = connection.execute(
        "select count(*) from ledger.parts where delivery_id = %s", [delivery]
    ).fetchone()
    return found[0] if found else 0


def record_replayed_rows(
    connection: psycopg.Connection, delivery: str, loaded: int, duplicate: int, run: Run
) -> None:
    """Move rows of a delivery from quarantined to loaded and duplicate.

    The delivery is seen from the later as-of from now on. The caller holds the transaction.
    """
    connection.execute(
        "update ledger.deliveries set rows_loaded = rows_loaded + %(loaded)s,"
        " rows_duplicate = rows_duplicate + %(duplicate)s,"
        " rows_quarantined = rows_quarantined - %(loaded)s - %(duplicate)s,"
        " as_of = greatest(as_of, %(as_of)s) where delivery_id = %(delivery)s",
        {"loaded": loaded, "duplicate": duplicate, "as_of": run.as_of, "delivery": delivery},
    )


def record_replayed_rule(
    connection: psycopg.Connection, delivery: str, level: Level, rule: str, rows: int
) -> None:
    """Note that rows which broke a rule were replayed; the caller holds the transaction."""
    connection.execute(
        "update ledger.quarantine set replayed_rows = replayed_rows + %s"
        " where delivery_id = %s and level = %s and rule = %s",
        [rows, delivery, level, rule],
    )


def record_replayed_file(
    connection: psycopg.Connection, entry: Entry, contract: Contract, run: Run
) -> None:
    """Rewrite the entry of a file that was quarantined whole; the caller holds the transaction.

    Raises BalanceError where the rows do not add up.
    """
    entry.counts.check(entry.file)
    part, counts = entry.part, entry.counts
    connection.execute(
        "update ledger.quarantine set replayed_rows = rows"
        " where delivery_id = %s and level = 'file' and severity = 'critical'",
        [entry.delivery_id],
    )
    connection.execute(
        "update ledger.deliveries set status = %s, rule = %s, reason = %s, rows_in = %s,"
        " rows_loaded = %s, rows_quarantined = %s, rows_duplicate = %s, rows_suppressed = %s,"
        " part = %s, contract_hash = %s, min_event_at = %s, max_event_at = %s, as_of = %s"
        " where delivery_id = %s and status = 'quarantined'",
        [
            entry.status, entry.rule, entry.reason, counts.rows_in, counts.loaded,
            counts.quarantined, counts.duplicate, counts.suppressed, part and part.path,
            contract.content_hash, part and part.min_event_at, part and part.max_event_at,
            run.as_of, entry.delivery_id,
        ],
    )  # fmt: skip
    _record_named(connection, entry)
    record_quarantine(connection, entry.delivery_id, entry.quarantine)
    if part:
        record_part(connection, entry.delivery_id, part, run)
