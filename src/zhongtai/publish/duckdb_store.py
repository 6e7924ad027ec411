"""DuckDB snapshots: one read-only file per store and snapshot, and a link to the current one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.publish import encryption, folders
from zhongtai.publish.candidates import Candidate, require_sealed
from zhongtai.publish.content import (
    STORES,
    PublishedTable,
    TableHash,
    duckdb_hash,
    literal,
    quoted,
    read_tables,
)
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE_MODES = {"metrics": 0o444, "profiles": 0o400}
CURRENT = "current.duckdb"


def staged_file(settings: Settings, store: str, snapshot_id: str) -> Path:
    """Where a snapshot stands, complete and verified, until the flip."""
    return folders.store_folder(settings, store) / f"{folders.STAGED}{snapshot_id}.duckdb"


def snapshot_file(settings: Settings, store: str, snapshot_id: str) -> Path:
    """Where readers find a snapshot."""
    return folders.store_folder(settings, store) / f"{snapshot_id}.duckdb"


@contextmanager
def open_engine(settings: Settings) -> Iterator["DuckDBPyConnection"]:
    """An in-memory DuckDB within the memory and thread limits, times in UTC."""
    import duckdb

    spill = settings.path("tmp")
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(spill),
        },
    )
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def attach_build(engine: "DuckDBPyConnection", settings: Settings) -> None:
    """Attach the working file read-only as `build`.

    Raises ZhongtaiError when there is none.
    """
    if not settings.warehouse_file.exists():
        raise ZhongtaiError(
            f"there is no working file {settings.warehouse_file}", hint="run `zhongtai build` first"
        )
    engine.execute(f"attach {literal(str(settings.warehouse_file))} as build (read_only)")


def hash_candidate(
    settings: Settings, candidate: Candidate
) -> tuple[tuple[PublishedTable, ...], dict[str, TableHash]]:
    """The tables of the candidate in the working file and the hash of each, by label."""
    with open_engine(settings) as engine:
        attach_build(engine, settings)
        engine.execute("use build")
        require_sealed(engine, candidate)
        tables = read_tables(engine, "build")
        return tables, {
            table.label: duckdb_hash(
                engine, table, f"build.{quoted(table.store)}.{quoted(table.name)}"
            )
            for table in tables
        }


@contextmanager
def unchanged_build(settings: Settings) -> Iterator[None]:
    """Raise ZhongtaiError at the end where the working file was written or swapped meanwhile."""
    before = _stat_build(settings)
    yield
    if _stat_build(settings) != before:
        raise ZhongtaiError(
            "the working file changed while it was checked",
            hint=f"let no program but zhongtai write {settings.warehouse_file}, then run again",
        )


def _stat_build(settings: Settings) -> list[tuple[int, ...]]:
    """What tells a file from one that was changed or swapped, as the system sees it."""
    file = settings.warehouse_file
    return [
        (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        for path in (file, file.with_name(f"{file.name}.wal"))
        if path.exists() and (found := path.stat())
    ]


def require_checked(settings: Settings, candidate: Candidate) -> None:
    """Raise ZhongtaiError unless the working file holds what was checked."""
    if hash_candidate(settings, candidate)[1] != candidate.tables:
        raise ZhongtaiError(
            f"candidate {candidate.snapshot_id} changed after it was checked",
            hint="run `zhongtai run` again",
        )


def stage(settings: Settings, candidate: Candidate) -> tuple[PublishedTable, ...]:
    """Write both stores' files under their staging names; returns what stands in them."""
    with open_engine(settings) as engine:
        attach_build(engine, settings)
        engine.execute("use build")
        require_sealed(engine, candidate)
        engine.execute("use memory")
        tables = read_tables(engine, "build")
        for store in STORES:
            file = staged_file(settings, store, candidate.snapshot_id)
            for leftover in (file, file.with_name(file.name + ".wal")):
                leftover.unlink(missing_ok=True)
            _write(
                engine, settings, (store, file), [t for t in tables if t.store == store], candidate
            )
            reach("publish.duckdb_written")
            if file.with_name(file.name + ".wal").exists():
                raise ZhongtaiError(
                    f"{file.name} still has a write-ahead log after its checkpoint",
                    hint="look for a full disk, then run again",
                )
            file.chmod(FILE_MODES[store])
            folders.sync(file)
            reach("publish.duckdb_staged")
    return tables


def _write(
    engine: "DuckDBPyConnection",
    settings: Settings,
    store_and_file: tuple[str, Path],
    tables: Sequence[PublishedTable],
    candidate: Candidate,
) -> None:
    store, file = store_and_file
    encryption.create(engine, settings, store, file, "target")
    try:
        # nobody may read the file of persons while it is being written either
        file.chmod(0o600)
        for table in tables:
            target = f"target.main.{quoted(table.name)}"
            engine.execute(
                f"create table {target} as select *{_additions(table, candidate)}"  # noqa: S608  # quoted names
                f" from build.{quoted(table.store)}.{quoted(table.name)}"
            )
            if table.comment:
                engine.execute(f"comment on table {target} is {literal(table.comment)}")
            for column in table.published_columns:
                if column.comment:
                    engine.execute(
                        f"comment on column {target}.{quoted(column.name)}"
                        f" is {literal(column.comment)}"
                    )
            reach("publish.duckdb_table")
        engine.execute("checkpoint target")
    finally:
        engine.execute("detach target")


def _additions(table: PublishedTable, candidate: Candidate) -> str:
    text = ""
    if table.carries_identity_version:
        text += f", {literal(candidate.identity_version)} as identity_version"
    if not table.has("snapshot_id"):
        text += f", {literal(candidate.snapshot_id)} as snapshot_id"
    return text


@contextmanager
def open_staged(
    settings: Settings, snapshot_id: str, *, staged: bool = True
) -> Iterator["DuckDBPyConnection"]:
    """A connection with both files attached read-only, as `metrics` and `profiles`."""
    with open_engine(settings) as engine:
        for store in STORES:
            place = staged_file if staged else snapshot_file
            file = place(settings, store, snapshot_id)
            encryption.attach(engine, settings, file, store)
        yield engine


def staged_relation(table: PublishedTable) -> str:
    """The SQL name of a table in a connection of `open_staged`."""
    return f"{table.store}.main.{quoted(table.name)}"


def verify(
    engine: "DuckDBPyConnection",
    tables: Sequence[PublishedTable],
    expected: Mapping[str, TableHash],
) -> None:
    """Read every written table again and compare it with what the gate checked.

    Raises ZhongtaiError that names the table and both counts.
    """
    if {table.label for table in tables} != set(expected):
        different = sorted({table.label for table in tables} ^ set(expected))
        raise ZhongtaiError(
            f"the candidate changed after it was checked: {', '.join(different)}",
            hint="run `zhongtai run` again",
        )
    for table in tables:
        found = duckdb_hash(engine, table, staged_relation(table))
        wanted = expected[table.label]
        if found != wanted:
            raise ZhongtaiError(
                f"{table.label}: {found.rows} rows ({found.copy_hash[-8:]}) were written,"
                f" {wanted.rows} ({wanted.copy_hash[-8:]}) were checked",
                hint="the candidate changed after it was checked, or the disk lost a write:"
                " run `zhongtai run` again",
            )


def flip(settings: Settings, snapshot_id: str, look: Callable[[], None]) -> None:
    """Show the snapshot to readers: rename, then swap the links. May be repeated.

    `look` raises where it is another one by now that readers are to see.
    """
    for store in STORES:
        final = snapshot_file(settings, store, snapshot_id)
        folders.reveal(staged_file(settings, store, snapshot_id), final)
        if not final.exists():
            raise ZhongtaiError(
                f"{final} is missing, so {store} cannot show snapshot {snapshot_id}",
                hint="restore the file from a backup, or roll back to another snapshot",
            )
        look()
        folders.point(final.with_name(CURRENT), final.name)


def drop(settings: Settings, snapshot_id: str) -> None:
    """Delete the files of a snapshot, staged or revealed; readers that have them open go on."""
    for store in STORES:
        staged = staged_file(settings, store, snapshot_id)
        folders.remove(staged.with_name(staged.name + ".wal"))
        folders.remove(staged)
        folders.remove(snapshot_file(settings, store, snapshot_id))


def holds(settings: Settings, snapshot_id: str) -> bool:
    """Whether both stores have the revealed file of a snapshot."""
    return all(snapshot_file(settings, store, snapshot_id).exists() for store in STORES)


def list_snapshots(settings: Settings) -> set[str]:
    """Every snapshot id that has a file in either store, staged ones included."""
    return {
        file.name.removesuffix(".wal").removesuffix(".duckdb").removeprefix(folders.STAGED)
        for store in STORES
        for file in folders.store_folder(settings, store).iterdir()
        if not file.is_symlink() and not file.name.startswith(f".{CURRENT}")
    }
