"""Settling judgements: duplicates counted, files moved into place, ledger rows written.

All of it happens under the entity's lock, so that what is a repetition depends on the ledger and
not on who reads faster. A part is in place before the transaction that makes it count; a crash in
between leaves a file that nobody knows, which the next run overwrites or removes.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.ingest.judgement import Judgement
from zhongtai.ingest.keys import count_new_keys
from zhongtai.ingest.parts import Lake, part_path
from zhongtai.ingest.setaside import place_private, rows_file, whole_file
from zhongtai.ledger import (
    Counts,
    Entry,
    Status,
    all_parts,
    is_recorded,
    loaded_parts,
    loaded_rows,
    new_entry,
    record,
)
from zhongtai.locks import PATIENT_SECONDS, exclusive_lock
from zhongtai.masks import mask_told
from zhongtai.runs import Run
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb


@contextmanager
def entity_lock(
    settings: Settings, connection: psycopg.Connection, contract: Contract
) -> Iterator[None]:
    """Hold the right to place parts of an entity and to record them; waits for others.

    Raises BusyError that names who has had it for minutes.
    """
    name, what = f"ingest.{contract.name}", f"taking in {contract.name}"
    with exclusive_lock(settings, connection, name, what, PATIENT_SECONDS):
        yield


@dataclass(frozen=True)
class Settlement:
    """What settling needs; `connection` is in autocommit mode."""

    settings: Settings
    connection: psycopg.Connection
    run: Run
    lake: Lake
    duck: "duckdb.DuckDBPyConnection"

    def settle(self, contract: Contract, judgements: Sequence[Judgement]) -> list[Entry]:
        """Record the judgements of one entity, in this order; returns what was recorded.

        Those that another process recorded meanwhile are left out.
        """
        with entity_lock(self.settings, self.connection, contract):
            fresh = [j for j in judgements if not is_recorded(self.connection, j.delivery_id)]
            new_rows = self._count_new_rows(contract, fresh)
            entries = []
            for judgement in fresh:
                loaded = new_rows.get(judgement.delivery_id)
                with self.connection.transaction():
                    entry = self._entry(contract, judgement, loaded)
                    self.place(judgement, entry)
                    reach("ledger.files_placed")
                    record(self.connection, entry, contract, self.run)
                    reach("ledger.recorded")
                reach("ledger.committed")
                entries.append(entry)
            return entries

    def entry_of(self, contract: Contract, judgement: Judgement) -> Entry:
        """The entry of one judgement; the caller holds the entity's lock."""
        new_rows = self._count_new_rows(contract, [judgement])
        return self._entry(contract, judgement, new_rows.get(judgement.delivery_id))

    def count_new_rows(self, contract: Contract, judgement: Judgement) -> int:
        """Rows of the part of a judgement that repeat no loaded key; needs the entity's lock."""
        return self._count_keys(contract, [judgement])[judgement.delivery_id]

    def remove_orphans(self, contract: Contract) -> None:
        """Remove parts that a crash left behind."""
        with entity_lock(self.settings, self.connection, contract):
            self.lake.remove_orphans(contract, all_parts(self.connection, contract))

    def _count_new_rows(self, contract: Contract, fresh: Sequence[Judgement]) -> dict[str, int]:
        """By delivery the rows that load; deliveries of bytes that are loaded already have none."""
        new: dict[str, Judgement] = {}
        for judgement in fresh:
            is_known = loaded_rows(self.connection, contract, judgement.sha256) is not None
            if not judgement.is_whole and not is_known:
                new.setdefault(judgement.sha256, judgement)
        return self._count_keys(contract, list(new.values()))

    def _count_keys(self, contract: Contract, judged: Sequence[Judgement]) -> dict[str, int]:
        if not contract.is_immutable:
            return {j.delivery_id: j.rows_loaded for j in judged}
        earlier = loaded_parts(self.connection, contract, self._span(contract, judged))
        files = [j.part for j in judged if j.part]
        counts = count_new_keys(self.duck, self.lake, files, earlier)
        return {j.delivery_id: count for j, count in zip(judged, counts, strict=True)}

    @staticmethod
    def _span(
        contract: Contract, judged: Sequence[Judgement]
    ) -> tuple[datetime | None, datetime | None]:
        """The event times within which a repetition can lie: only where the key holds the time."""
        if contract.event_time not in contract.key:
            return None, None
        first = [j.min_event_at for j in judged if j.min_event_at]
        last = [j.max_event_at for j in judged if j.max_event_at]
        return min(first, default=None), max(last, default=None)

    def _entry(self, contract: Contract, judgement: Judgement, loaded: int | None) -> Entry:
        if judgement.is_whole:
            # what names erased persons and cannot be read is not kept, so nothing is quarantined
            fate = "suppressed" if judgement.names_erased else "quarantined"
            counts = Counts(judgement.rows_in, **{fate: judgement.rows_in})
            entry = self._new(judgement, "quarantined", counts)
            return replace(
                entry,
                rule=judgement.rule,
                reason=mask_told(judgement.reason or ""),
                quarantine=tuple(judgement.quarantine),
            )
        known = loaded_rows(self.connection, contract, judgement.sha256)
        if known is not None:
            entry = self._new(judgement, "duplicate", Counts(known, duplicate=known))
            return replace(entry, rule="same_bytes", reason="the same bytes were loaded before")
        if loaded is None:
            raise AssertionError(f"{judgement.delivery.file.label} was not counted")
        refused = judgement.rows_quarantined
        repeated = judgement.rows_loaded - loaded
        counts = Counts(judgement.rows_in, loaded, refused, repeated, judgement.rows_suppressed)
        entry = self._new(judgement, "loaded", counts)
        part = judgement.part_at(part_path(contract, judgement.sha256), "delivery")
        return replace(entry, part=part, quarantine=tuple(judgement.quarantine))

    @staticmethod
    def _new(judgement: Judgement, status: Status, counts: Counts) -> Entry:
        entry = new_entry(
            judgement.delivery, judgement.sha256, status, counts, judgement.discovered_at
        )
        return replace(entry, names_erased=judgement.names_erased)

    def place(self, judgement: Judgement, entry: Entry) -> None:
        """Move the files of an entry to where they count from the commit on."""
        if entry.is_dropped:
            return
        if entry.status == "quarantined":
            keep_whole(self.settings, judgement)
        elif entry.part and judgement.part:
            if judgement.rows_file:
                target = rows_file(self.settings, entry.source, entry.entity, entry.sha256)
                place_private(self.settings, judgement.rows_file, target)
            self.lake.place(judgement.part, entry.part.path)


def keep_whole(settings: Settings, judgement: Judgement) -> Path:
    """Copy a file that is quarantined whole into the quarantine; returns where it is."""
    contract, name = judgement.delivery.contract, judgement.delivery.file.name
    target = whole_file(settings, contract.source, contract.entity, judgement.sha256, name)
    copy = judgement.local.with_name(f"{judgement.local.name}.whole")
    copy.touch(mode=0o600)
    shutil.copyfile(judgement.local, copy)
    place_private(settings, copy, target)
    return target
