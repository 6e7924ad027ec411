"""Erasing from the published identity maps; the history of ids says that one was erased."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.crash_points import reach
from zhongtai.erasure.selection import erased_condition, write_ids
from zhongtai.ingest.rules import literal
from zhongtai.publish.folders import sync
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROW_GROUP = 30_720
_MAP, _CHANGES = "record_map", "changes"
_REASON = "the person asked to be forgotten"


def count_in_maps(settings: Settings, duck: "DuckDBPyConnection") -> int:
    """How many rows of the maps are about the persons."""
    found = 0
    for folder in _list_maps(settings):
        write_ids(duck, _read(folder / f"{_MAP}.parquet"))
        found += sum(_count(duck, file) for file in _files(folder))
    return found


def erase_from_maps(
    settings: Settings, duck: "DuckDBPyConnection", changed_at: datetime, run_id: str
) -> int:
    """Take the rows out of every map; returns how many. May be repeated.

    `changed_at` is naive UTC. The map of records goes last: it tells whom the ids meant.
    """
    gone = 0
    for folder in _list_maps(settings):
        write_ids(duck, _read(folder / f"{_MAP}.parquet"))
        _tell_erased(duck, folder, changed_at, run_id)
        for file in sorted(_files(folder), key=lambda file: file.stem == _MAP):
            rows = _count(duck, file)
            if rows:
                condition = _condition(duck, file)
                _write(duck, file, f"select * from {_read(file)} where not ({condition})")  # noqa: S608
            gone += rows
    return gone


def _tell_erased(
    duck: "DuckDBPyConnection", folder: Path, changed_at: datetime, run_id: str
) -> None:
    """Add a change `erase` for each erased person of this map, once."""
    record_map, changes = (_read(folder / f"{stem}.parquet") for stem in (_MAP, _CHANGES))
    duck.execute(
        "create or replace temp table erased_changes as select $changed_at::timestamp as"  # noqa: S608
        " changed_at, 'erase' as change, one_id, null::varchar as previous_one_id,"
        f" count(*) as record_count, '{_REASON}' as reason, $run_id as run_id from {record_map}"
        " semi join erased_ids using (one_id) anti join"
        f" (select one_id from {changes} where change = 'erase') using (one_id) group by one_id",
        {"changed_at": changed_at, "run_id": run_id},
    )
    if duck.execute("select 1 from erased_changes limit 1").fetchone():
        _write(
            duck,
            folder / f"{_CHANGES}.parquet",
            f"select * from {changes} union all by name select * from erased_changes order by all",  # noqa: S608
        )


def _list_maps(settings: Settings) -> list[Path]:
    folder = settings.path("identity")
    return sorted(f for f in folder.glob("[!.]*") if (f / f"{_MAP}.parquet").exists())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def _condition(duck: "DuckDBPyConnection", file: Path) -> str | None:
    columns = [row[0] for row in duck.execute(f"describe select * from {_read(file)}").fetchall()]  # noqa: S608
    return erased_condition(file.stem, columns)


def _count(duck: "DuckDBPyConnection", file: Path) -> int:
    condition = _condition(duck, file)
    if condition is None:
        return 0
    row = duck.execute(f"select count(*) from {_read(file)} where {condition}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _read(file: Path) -> str:
    return f"read_parquet({literal(str(file))})"


def _write(duck: "DuckDBPyConnection", file: Path, query: str) -> None:
    staged = file.with_name(f".{file.name}.left")
    duck.execute(
        f"copy ({query}) to {literal(str(staged))} (format parquet, compression zstd,"
        f" row_group_size {_ROW_GROUP})"
    )
    staged.chmod(0o600)
    sync(staged)
    reach("erase.map_written")
    staged.replace(file)
    sync(file.parent)
    reach("erase.map_replaced")
