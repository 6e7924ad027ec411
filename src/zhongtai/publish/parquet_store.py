"""Parquet: one folder per snapshot with a manifest, for everything that is not a SQL client."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.publish import encryption, folders
from zhongtai.publish.candidates import Candidate
from zhongtai.publish.content import STORES, PublishedTable, TableHash, literal
from zhongtai.publish.duckdb_store import FILE_MODES, staged_relation
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MANIFEST = "manifest.json"
CURRENT = "current"
FOLDER_MODES = {"metrics": 0o755, "profiles": 0o700}


def _folder(settings: Settings, snapshot_id: str, *, staged: bool) -> Path:
    prefix = folders.STAGED if staged else ""
    return folders.store_folder(settings, "parquet") / f"{prefix}{snapshot_id}"


def stage(
    settings: Settings,
    engine: "DuckDBPyConnection",
    tables: Sequence[PublishedTable],
    candidate: Candidate,
) -> None:
    """Write every table and the manifest under the staging name.

    `engine` has the staged DuckDB files attached.
    """
    folder = _folder(settings, candidate.snapshot_id, staged=True)
    folders.remove(folder)
    for store in STORES:
        (folder / store).mkdir(parents=True)
        (folder / store).chmod(FOLDER_MODES[store])
    entries = []
    options = {store: encryption.parquet_options(engine, settings, store) for store in STORES}
    for table in tables:
        file = folder / table.store / f"{table.name}.parquet"
        written = engine.execute(
            f"copy {staged_relation(table)} to {literal(str(file))} (format parquet,"
            f" compression zstd{options[table.store]})"
        ).fetchone()
        rows = candidate.tables[table.label].rows
        if written is None or written[0] != rows:
            raise ZhongtaiError(
                f"{table.label}: {written and written[0]} rows went to Parquet instead of {rows}",
                hint="nothing was published; run `zhongtai publish` again",
            )
        file.chmod(FILE_MODES[table.store])
        folders.sync(file)
        reach("publish.parquet_table")
        entries.append(_describe(table, file, candidate.tables[table.label]))
    _write_manifest(folder / MANIFEST, candidate, entries)
    for place in (*(folder / store for store in STORES), folder):
        folders.sync(place)
    reach("publish.parquet_staged")


def _describe(table: PublishedTable, file: Path, table_hash: TableHash) -> dict[str, object]:
    columns = [
        {"name": c.name, "type": c.type, "description": c.comment} for c in table.published_columns
    ]
    shape = json.dumps([[c["name"], c["type"]] for c in columns])
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "store": table.store,
        "table": table.name,
        "path": f"{table.store}/{file.name}",
        "rows": table_hash.rows,
        "bytes": file.stat().st_size,
        "sha256": digest,
        "schema_hash": hashlib.sha256(shape.encode()).hexdigest(),
        "content_hash": table_hash.content_hash,
        "description": table.comment,
        "columns": columns,
    }


def _write_manifest(file: Path, candidate: Candidate, entries: list[dict[str, object]]) -> None:
    text = json.dumps(
        {
            "snapshot_id": candidate.snapshot_id,
            "as_of": candidate.as_of.isoformat(),
            "run_id": candidate.run_id,
            "identity_version": candidate.identity_version,
            "content_hash": candidate.content_hash,
            "tables": entries,
        },
        ensure_ascii=False,
        indent=1,
    )
    file.write_text(text, "utf-8")
    file.chmod(0o444)
    folders.sync(file)


def flip(settings: Settings, snapshot_id: str, look: Callable[[], None]) -> None:
    """Show the snapshot to readers: rename, then swap the link. May be repeated.

    `look` raises where it is another one by now that readers are to see.
    """
    final = _folder(settings, snapshot_id, staged=False)
    folders.reveal(_folder(settings, snapshot_id, staged=True), final)
    if not (final / MANIFEST).exists():
        raise ZhongtaiError(
            f"{final} is missing, so Parquet readers cannot see snapshot {snapshot_id}",
            hint="restore the folder from a backup, or roll back to another snapshot",
        )
    look()
    folders.point(final.with_name(CURRENT), final.name)


def drop(settings: Settings, snapshot_id: str) -> None:
    """Delete the folder of a snapshot, staged or revealed."""
    for staged in (True, False):
        folders.remove(_folder(settings, snapshot_id, staged=staged))


def holds(settings: Settings, snapshot_id: str) -> bool:
    """Whether the revealed folder of a snapshot is complete."""
    return (_folder(settings, snapshot_id, staged=False) / MANIFEST).exists()


def list_snapshots(settings: Settings) -> set[str]:
    """Every snapshot id that has a folder, staged ones included."""
    return {
        folder.name.removeprefix(folders.STAGED)
        for folder in folders.store_folder(settings, "parquet").iterdir()
        if folder.is_dir() and not folder.is_symlink()
    }
