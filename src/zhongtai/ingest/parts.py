"""Parquet parts of the raw zone: written beside, moved into place whole, never changed."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import get_protocol

from zhongtai.addresses import hush_libraries
from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.landing.addresses import explain, explaining
from zhongtai.landing.remote import BUCKETS
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ZONE = "the raw zone"
RESTORE_HINT = "put it back into the raw zone from a backup, then run again"
_NONE: Mapping[str, str] = {}
_GROUP_ROWS = 122_880
_GROUP_BYTES = 128 * 2**20


def part_path(contract: Contract, sha256: str, suffix: str = "") -> str:
    """Where the part of these bytes stands, relative to the lake."""
    return f"raw/{contract.source}/{contract.entity}/{sha256}{suffix}.parquet"


def part_schema(contract: Contract) -> pa.Schema:
    """The columns of a part: as delivered, then what the product adds."""
    return pa.schema(
        [
            *((column.delivered, pa.string()) for column in contract.columns),
            ("_extra", pa.string()),
            ("_row_number", pa.int64()),
            ("_raw", pa.string()),
            ("_key_hash", pa.int64()),
            ("_delivery_id", pa.string()),
        ]
    )


class PartWriter:
    """Writes one part in row groups of bounded size; the file is on disk when it closes."""

    def __init__(self, contract: Contract, delivery_id: str, file: Path) -> None:
        self.file = file
        self.rows = 0
        self._delivery_id = delivery_id
        self._schema = part_schema(contract)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd", compression_level=1)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._pending_bytes = 0

    def write(self, batch: pa.RecordBatch, key_hash: Any) -> None:
        """Append rows of a reader with their key hashes (int64)."""
        ids = pa.repeat(pa.scalar(self._delivery_id), batch.num_rows)
        row = pa.RecordBatch.from_arrays([*batch.columns, key_hash, ids], schema=self._schema)
        self._pending.append(row)
        self._pending_rows += row.num_rows
        self._pending_bytes += row.nbytes
        self.rows += row.num_rows
        if self._pending_rows >= _GROUP_ROWS or self._pending_bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._pending_rows:
            table = pa.Table.from_batches(self._pending, self._schema)
            self._writer.write_table(table, row_group_size=self._pending_rows)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()


class Lake:
    """The raw zone on any fsspec filesystem."""

    def __init__(self, settings: Settings) -> None:
        hush_libraries()
        with explaining(settings.lake_url, _ZONE):
            self.files, root = url_to_fs(settings.lake_url)
        self.is_local = isinstance(self.files, LocalFileSystem)
        self._root = str(root).rstrip("/")
        self._url = settings.lake_url.rstrip("/")

    def location(self, part: str) -> str:
        """What DuckDB opens, after `show_to`."""
        return f"{self._root}/{part}" if self.is_local else f"{self._url}/{part}"

    def show_to(self, duck: "DuckDBPyConnection") -> None:
        """Let DuckDB open what `location` tells; may be repeated."""
        if not self.is_local and not duck.filesystem_is_registered(get_protocol(self._url)):
            duck.register_filesystem(self.files)

    def place(self, file: Path, part: str) -> None:
        """Move a finished file to its place, replacing one that no ledger row stands for."""
        target = f"{self._root}/{part}"
        if self.is_local:
            place_file(file, Path(target))
            return
        # object stores show an upload only when it is whole; other servers need the rename
        beside = f"{target}.part"
        try:
            with self._asking():
                if get_protocol(self._url) not in BUCKETS:
                    # a bucket that does not exist would be made: a slip sends persons elsewhere
                    self.files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self.files.put_file(str(file), beside)
                self.files.mv(beside, target)
        except FileNotFoundError as error:
            raise explain(self._url, error, _ZONE) from None
        file.unlink()

    def read_column(self, part: str, column: str) -> Any:
        """One column of a part as an array."""
        with self._asking(), self.files.open(f"{self._root}/{part}", "rb") as opened:
            return pq.read_table(opened, columns=[column])[column].combine_chunks()

    def inspect(self, parts: Iterable[str]) -> dict[str, int | str]:
        """For each part its rows, by its own footer, or in words why it cannot be read."""

        def look(part: str) -> tuple[str, int | str]:
            try:
                with self._asking(), self.files.open(f"{self._root}/{part}", "rb") as opened:
                    return part, int(pq.read_metadata(opened).num_rows)
            except FileNotFoundError:
                return part, "is gone"
            except (pa.ArrowInvalid, OSError):
                return part, "cannot be read"

        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(pool.map(look, parts))

    def refuse_lost(self, parts: Iterable[str], files: Mapping[str, str] = _NONE) -> None:
        """Raise ZhongtaiError where parts cannot be read; `files` names the delivery of each."""
        if lost := find_lost(self.inspect(parts)):
            raise ZhongtaiError(describe_lost(lost, files), hint=RESTORE_HINT)

    def list_parts(self, contract: Contract) -> list[str]:
        """The parts of an entity that there are, known to the ledger or not."""
        folder = part_path(contract, "").rpartition("/")[0]
        with self._asking():
            if not self.files.exists(f"{self._root}/{folder}"):
                return []
            found = self.files.ls(f"{self._root}/{folder}", detail=False)
        return [f"{folder}/{name.rpartition('/')[2]}" for name in found]

    def remove_orphans(self, contract: Contract, known: set[str]) -> int:
        """Remove parts of an entity that the ledger does not know; returns how many.

        The caller holds the entity's lock, so nobody is between placing and recording one.
        """
        orphans = [part for part in self.list_parts(contract) if part not in known]
        for part in orphans:
            with self._asking():
                self.files.rm(f"{self._root}/{part}")
            reach("ledger.orphan_removed")
        return len(orphans)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Say what a server does not do for us; what is said about a part goes through."""
        try:
            yield
        except (PermissionError, ConnectionError, TimeoutError) as error:
            if self.is_local:
                raise
            raise explain(self._url, error, _ZONE) from None
        except (OSError, ValueError, ZhongtaiError):
            raise
        except Exception as error:
            raise explain(self._url, error, _ZONE) from None


def find_lost(inspected: Mapping[str, int | str]) -> dict[str, str]:
    """Of inspected parts those that cannot be read, and why."""
    return {part: found for part, found in inspected.items() if isinstance(found, str)}


def describe_lost(lost: Mapping[str, str], files: Mapping[str, str] = _NONE, shown: int = 3) -> str:
    """Which parts are lost, each with the file that it was made from where that is known."""
    told = [
        f"{part} of {files[part]} {why}" if part in files else f"{part} {why}"
        for part, why in list(lost.items())[:shown]
    ]
    more = [f"and {len(lost) - shown} more"] if len(lost) > shown else []
    return "; ".join([*told, *more])


def place_file(file: Path, target: Path, *, folder_mode: int = 0o755) -> None:
    """Move a file so that after a crash there is the old state or the whole new file."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    if file.stat().st_dev != target.parent.stat().st_dev:
        beside = target.with_name(f".{target.name}.part")
        beside.write_bytes(b"")
        beside.chmod(file.stat().st_mode & 0o777)
        with file.open("rb") as read, beside.open("wb") as written:
            while block := read.read(8 << 20):
                written.write(block)
        file.unlink()
        file = beside
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
    reach("file.synced")
    file.replace(target)
    reach("file.renamed")
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    reach("file.placed")
