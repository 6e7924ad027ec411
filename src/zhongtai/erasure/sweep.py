"""Completing erasures: every layer in turn, each step of which may be repeated."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa

from zhongtai.contracts import Contracts
from zhongtai.crash_points import reach
from zhongtai.erasure import tombstones
from zhongtai.erasure.cleaning import clean_database
from zhongtai.erasure.landed import count_named, remove_or_tell_named
from zhongtai.erasure.leftovers import find_leftovers, remove_leftovers
from zhongtai.erasure.maps import count_in_maps, erase_from_maps
from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.quarantines import Quarantine
from zhongtai.erasure.raw import RawZone, wanted
from zhongtai.erasure.recall import recall_values
from zhongtai.erasure.reports import Removal, write_report
from zhongtai.erasure.selection import write_erased, write_ids
from zhongtai.erasure.snapshots import Snapshots
from zhongtai.erasure.statements import count_statements, erase_statements
from zhongtai.erasure.tombstones import Erasure
from zhongtai.ingest.drain import open_duckdb
from zhongtai.ingest.workspace import open_workspace
from zhongtai.publish.encryption import attach
from zhongtai.publish.publisher import publishing
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Sweep:
    """All layers of a home, and whom to look for; made by `open_sweep`."""

    settings: Settings
    contracts: Contracts
    connection: psycopg.Connection
    duck: "DuckDBPyConnection"
    folder: Path
    until: datetime

    @property
    def _raw(self) -> RawZone:
        return RawZone(self.settings, self.connection, self.duck, self.folder, self.until)

    @property
    def _quarantine(self) -> Quarantine:
        return Quarantine(self.settings, self.connection, self.duck)

    @property
    def _snapshots(self) -> Snapshots:
        return Snapshots(self.settings, self.connection, self.duck)

    def count(self) -> Removal:
        """What would go; nothing is changed."""
        removal = Removal()
        for contract in self.contracts.values():
            _add_pair(removal, "quarantine", self._quarantine.count(contract))
            _add_pair(removal, "raw", self._raw.count(contract))
        self._write_ids()
        _add_pair(removal, "decisions", count_statements(self.connection, self.duck))
        removal.add("identity maps: rows", count_in_maps(self.settings, self.duck))
        for snapshot_id in self._snapshots.list_kept():
            removal.add("snapshots: rows", self._snapshots.count(snapshot_id))
        left = find_leftovers(self.settings, self.duck)
        _add_leftovers(removal, left.exports, left.pages, left.logs)
        return removal

    def erase(self, mark: int, run_id: str, progress: Progress) -> Removal:
        """Take everything out; `mark` is the number of the last erasure that is completed."""
        removal = Removal()
        for contract in self.contracts.values():
            progress(f"erase: {contract.name}")
            # first the quarantine: parts of replays tell which of its rows were replayed
            _add_pair(removal, "quarantine", self._quarantine.erase(contract))
            _add_pair(removal, "raw", self._raw.erase(contract, f"x{mark}"))
        progress("erase: landed files")
        removal.add("landed files", count_named(self.settings, self.connection))
        removal.landing = remove_or_tell_named(self.settings, self.connection)
        self._write_ids()
        _add_pair(removal, "decisions", erase_statements(self.connection, self.duck))
        with publishing(self.settings, self.connection):
            self._erase_published(removal, run_id, progress)
        self._remove_working_file()
        progress("erase: exports, pages and logs")
        left, removal.destinations = remove_leftovers(self.settings, self.connection, self.duck)
        _add_leftovers(removal, left.exports, left.pages, left.logs)
        return removal

    def _erase_published(self, removal: Removal, run_id: str, progress: Progress) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        gone = erase_from_maps(self.settings, self.duck, now, run_id)
        removal.add("identity maps: rows", gone)
        for snapshot_id in self._snapshots.list_kept():
            progress(f"erase: snapshot {snapshot_id}")
            removal.add("snapshots: rows", self._snapshots.erase(snapshot_id))

    def _write_ids(self) -> None:
        """Who they are in the published snapshot."""
        current = self.settings.path("published", "profiles", "current.duckdb")
        nobody = "(select null::varchar as source, null::varchar as entity,"
        nobody += " null::varchar as record_key, null::varchar as one_id where false)"
        if not current.exists():
            write_ids(self.duck, nobody)
            return
        attach(self.duck, self.settings, current.resolve(), "kept")
        try:
            write_ids(self.duck, "kept.main.bridge_user_records")
        finally:
            self.duck.execute("detach kept")

    def _remove_working_file(self) -> None:
        """It is made anew: nothing of it has to be looked for."""
        folder = self.settings.warehouse_file.parent
        for file in folder.glob(f"{self.settings.warehouse_file.name}*"):
            file.unlink()
        reach("erase.working_file_removed")


@contextmanager
def open_sweep(  # noqa: PLR0913
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    values: pa.Table,
    one_ids: Sequence[str],
    *,
    until: datetime,
) -> Iterator[Sweep]:
    """A look at every layer for whom `values` (WANTED_SCHEMA) name, as loaded `until` (aware)."""
    with open_workspace(settings) as folder, open_duckdb(settings) as duck, wanted(duck, values):
        duck.execute("set timezone = 'UTC'")
        write_erased(duck, values, one_ids)
        yield Sweep(settings, contracts, connection, duck, folder, until)


def complete_erasures(
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    run_id: str,
    progress: Progress,
) -> tuple[list[Erasure], Removal]:
    """Complete every open erasure, those that a restored backup does not know included.

    The caller holds the right to build; `connection` autocommits. Returns what was completed.
    """
    tombstones.take_back_lost(settings, connection)
    opened = tombstones.list_open(connection)
    removal = Removal()
    if not opened:
        return opened, removal
    values, one_ids = _collect(settings, contracts, connection, opened)
    until = max(erasure.erased_until for erasure in opened)
    with open_sweep(settings, contracts, connection, values, one_ids, until=until) as sweep:
        removal = sweep.erase(opened[-1].number, run_id, progress)
    progress("erase: database")
    removal.is_log_clean = clean_database(settings, connection)
    reach("erase.database_cleaned")
    write_report(settings, opened, removal)
    for erasure in opened:
        tombstones.finish(settings, connection, erasure)
    return opened, removal


def _collect(
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    opened: Sequence[Erasure],
) -> tuple[pa.Table, list[str]]:
    """Whom the open erasures mean; of those that are only tombstones what the raw zone says."""
    tables, one_ids, macs = [WANTED_SCHEMA.empty_table()], [], []
    for erasure in opened:
        found = tombstones.read_values(settings, erasure)
        if found:
            tables.append(found[0].cast(WANTED_SCHEMA))
            one_ids += found[1]
        else:
            macs += tombstones.read_macs(settings, erasure)
    if macs:
        until = max(erasure.erased_until for erasure in opened)
        with open_workspace(settings) as folder, open_duckdb(settings) as duck:
            raw = RawZone(settings, connection, duck, folder, until)
            tables.append(recall_values(settings, contracts, raw, macs))
    return pa.concat_tables(tables), one_ids


def _add_pair(removal: Removal, layer: str, counted: tuple[int, int]) -> None:
    names = {
        "raw": ("raw: rows", "raw: rows with a cell emptied"),
        "quarantine": ("quarantine: rows", "quarantine: files"),
        "decisions": ("decisions", "tags set by hand"),
    }
    for name, count in zip(names[layer], counted, strict=True):
        removal.add(name, count)


def _add_leftovers(removal: Removal, *found: Sequence[Path]) -> None:
    for name, files in zip(("exports", "pages of checks", "logs"), found, strict=True):
        removal.add(name, len(files))
