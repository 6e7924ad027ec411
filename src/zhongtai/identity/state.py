"""What identity resolution remembers: one folder of Parquet files per published snapshot."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.identity.declaration import load_declaration
from zhongtai.identity.memory import recall
from zhongtai.identity.traces import trace_queries
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

# file stem -> columns, as in the tables of schema identity
_STATE = {
    "record_map": (
        "source varchar, entity varchar, record_key varchar, one_id varchar, valid_from timestamp"
    ),
    "past_map": (
        "source varchar, entity varchar, record_key varchar, one_id varchar, valid_from timestamp,"
        " valid_to timestamp"
    ),
    "redirects": "retired_one_id varchar, one_id varchar, since timestamp",
    "changes": (
        "changed_at timestamp, change varchar, one_id varchar, previous_one_id varchar,"
        " record_count bigint, reason varchar, run_id varchar"
    ),
    "standing_decisions": (
        "kind varchar, source varchar, entity varchar, record_key varchar, other_source varchar,"
        " other_entity varchar, other_record_key varchar, since timestamp"
    ),
}
# what the first versions did not keep: nothing of it is known of their maps
_KEPT_LATER = ("past_map", "standing_decisions")
# names the resolution that made the map
_RESOLUTION = "resolution"

_FOLLOW = (
    """
create or replace temp table identity_previous as
select source, entity, record_key, one_id, valid_from
from identity.record_map
semi join identity_before using (record_no)
""",
    "create or replace temp view identity_previous_past as select * from identity.past_map",
    """
create or replace temp table identity_previous_redirects as
select * from identity.redirects
""",
)

# Small, for the files are asked for few rows; of still smaller groups there would be too many.
_ROW_GROUP = 30_720


@dataclass(frozen=True)
class History:
    """The folder of the last published map, and of every map that was ever published.

    `withdrawn`: those of them that were published later and rolled back, newest first.
    """

    previous: Path | None = None
    published: tuple[Path, ...] = ()
    withdrawn: tuple[Path, ...] = ()


def read_history(settings: Settings) -> History:
    """What the ledger says was published; a candidate that was held or died does not count.

    Raises ZhongtaiError where the map of the current snapshot is gone: without it every person
    would get a new id.
    """
    with connect(settings) as connection:
        rows = connection.execute(
            "select snapshot_id, state in ('published', 'flipped_postgres') from ledger.snapshots"
            " where published_at is not null or state = 'flipped_postgres'"
            # one that died half published is rolled forward, so it is newer than the published one
            " order by state = 'flipped_postgres' desc, published_at desc, snapshot_id desc"
        ).fetchall()
    current = next((row[0] for row in rows if row[1]), None)
    folders = {row[0]: settings.path("identity", row[0]) for row in rows}
    if current and not folders[current].is_dir():
        raise ZhongtaiError(
            f"the identity map of the published snapshot {current} is missing: {folders[current]}",
            hint="restore this folder from a backup; without it every one_id would change",
        )
    published = tuple(folder for folder in folders.values() if folder.is_dir())
    if current is None:
        return History(published=published)
    withdrawn = published[: published.index(folders[current])]
    return History(folders[current], published, withdrawn)


def name_resolution(history: History) -> str | None:
    """Which resolution made the last published map; None where there is none, or none that says."""
    file = history.previous / _RESOLUTION if history.previous else None
    return file.read_text("utf-8") if file and file.exists() else None


def load_history(connection: "duckdb.DuckDBPyConnection", history: History) -> None:
    """Write the temp tables identity_previous, …_past, …_redirects and …_changes."""
    for stem, table in (
        ("record_map", "identity_previous"),
        ("past_map", "identity_previous_past"),
        ("redirects", "identity_previous_redirects"),
        ("changes", "identity_previous_changes"),
    ):
        read_state(connection, history, stem, table)


def follow_history(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write the same tables where schema identity still is what was published last.

    Of the map only the records of identity_before are previous: those that are looked at.
    """
    for statement in _FOLLOW:
        connection.execute(statement)


def list_used(connection: "duckdb.DuckDBPyConnection", history: History, prefix: str) -> None:
    """Write the temp table identity_used: the ids with this prefix that were ever published."""
    connection.execute("create or replace temp table identity_used (one_id varchar)")
    # every id was once a row of `changes`, those of snapshots that were rolled back included
    files = [str(folder / "changes.parquet") for folder in history.published]
    if files:
        # no digit comes after f: bounds let the files be read where such ids are, and only there
        bounds = {"files": files, "first": prefix, "after": f"{prefix}g"}
        connection.execute(
            "insert into identity_used"
            " select one_id from read_parquet($files) where one_id >= $first and one_id < $after"
            " union"
            " select previous_one_id from read_parquet($files)"
            " where previous_one_id >= $first and previous_one_id < $after",
            bounds,
        )


def list_withdrawn(connection: "duckdb.DuckDBPyConnection", history: History) -> None:
    """Write the temp table identity_withdrawn: records of ids that only withdrawn maps had.

    Reads identity_previous_changes, in which every id of the last published map was once a row.
    """
    connection.execute(
        "create or replace temp table identity_withdrawn"
        " (source varchar, entity varchar, record_key varchar, one_id varchar)"
    )
    for folder in history.withdrawn:
        connection.execute(
            "insert into identity_withdrawn select source, entity, record_key, one_id"
            " from read_parquet(?)"
            " anti join identity_withdrawn as newer using (source, entity, record_key)"
            " anti join (select one_id from identity_previous_changes union all"
            " select previous_one_id from identity_previous_changes) using (one_id)",
            [str(folder / "record_map.parquet")],
        )


def read_state(
    connection: "duckdb.DuckDBPyConnection", history: History, stem: str, table: str
) -> None:
    """Write the temp table `table`: a file of the last published map, or none of its rows.

    An earlier version kept fewer columns, which are null then, and fewer files: one of _KEPT_LATER
    that is missing has no rows. Raises ZhongtaiError where any other file is.
    """
    connection.execute(f"create or replace temp table {table} ({_STATE[stem]})")
    file = history.previous / f"{stem}.parquet" if history.previous else None
    if file is None or (stem in _KEPT_LATER and not file.exists()):
        return
    if not file.exists():
        raise ZhongtaiError(
            f"the identity map of the published snapshot lacks {file}",
            hint="restore its folder from a backup; without it every one_id would change",
        )
    connection.execute(
        f"insert into {table} by name select * from"  # noqa: S608
        f" (select columns(c -> c in ({_quoted(stem)})) from read_parquet(?))",
        [str(file)],
    )


def write_state(
    connection: "duckdb.DuckDBPyConnection",
    folder: Path,
    traces: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Copy the tables of schema identity into `folder`, complete or not at all.

    `traces`: what else is kept beside them, file stem -> query.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    # sorted by the columns that come first, for they are what a file is asked by
    tables = {
        stem: f"select {_columns(stem)} from identity.{stem} order by all"  # noqa: S608
        for stem in (*_STATE, "review_pairs")
    }
    for stem, query in {**tables, **traces}.items():
        file = partial / f"{stem}.parquet"
        connection.execute(
            f"copy ({query})"
            f" to '{str(file).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd,"
            f" row_group_size {_ROW_GROUP})"
        )
        file.chmod(0o600)
        _sync(file)
        reach("publish.identity_file")
    about = recall(connection)
    if about:
        file = partial / _RESOLUTION
        file.write_text(about.resolution, "utf-8")
        file.chmod(0o600)
        _sync(file)
    shutil.rmtree(folder, ignore_errors=True)
    reach("publish.identity_replaced")
    partial.rename(folder)
    _sync(folder.parent)
    reach("publish.identity_kept")


def _columns(stem: str) -> str:
    """What is kept of a table: the columns of the map that count in a run are only of that run."""
    return ", ".join(_names(stem)) if stem in _STATE else "*"


def _names(stem: str) -> list[str]:
    return [part.split()[0] for part in _STATE[stem].split(", ")]


def _quoted(stem: str) -> str:
    return ", ".join(f"'{name}'" for name in _names(stem))


def commit(settings: Settings, snapshot_id: str) -> Path:
    """Keep the candidate map of the working file as that of `snapshot_id`; may be repeated.

    To be called before the snapshot is flipped: once the ledger says published, the next run
    starts from this map. Returns the folder.
    """
    from zhongtai.warehouse import open_build

    folder = settings.path("identity", snapshot_id)
    traces = trace_queries(load_declaration(settings.project_dir), secrets.token_hex(16))
    with open_build(settings, read_only=True) as connection:
        write_state(connection, folder, traces)
    return folder


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
