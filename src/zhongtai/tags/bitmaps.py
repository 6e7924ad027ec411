"""Bitmaps of a published snapshot: one bit per person, one bitmap per value of a tag.

Person and bit belong together for ever: a number is given once (`users.parquet`), so bitmaps of
different days line up. All of it is made from published snapshots, and made anew where it is lost.

`<home>/published/bitmaps/users.parquet`                      user_seq, one_id; only ever longer
`<home>/published/bitmaps/<snapshot_id>/bitmaps.parquet`      name, value, users, bits
`<home>/published/bitmaps/<snapshot_id>/values.parquet`       a row per user_seq, a column per name
`<home>/published/bitmaps/<snapshot_id>/persons.parquet`      a row per user_seq: who, masked
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.publish.content import literal
from zhongtai.publish.folders import remove
from zhongtai.settings import Settings
from zhongtai.tags.population import (
    Populace,
    describe_columns,
    describe_persons,
    read_columns,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Bits = NDArray[np.uint64]

# The names of what is no tag and no column: everybody, and who has an identifier of a type.
EVERYBODY = "everybody"
IDENTIFIER = "identifier"
# A text of more values than this is kept as a column: its bitmaps would be many and all but empty.
_MOST_BITMAPS = 64
_COLUMNS_AT_ONCE = 24
_USERS, _LOCK = "users.parquet", ".lock"
_BITS, _VALUES, _PERSONS = "bitmaps.parquet", "values.parquet", "persons.parquet"
# Small, for of persons a few rows are read.
_ROW_GROUP = 4096


@dataclass(frozen=True)
class Bitmaps:
    """The bitmaps in a folder, which must be there."""

    folder: Path

    @cached_property
    def _file(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetFile(self.folder / _BITS, memory_map=True)

    @cached_property
    def _values(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetFile(self.folder / _VALUES, memory_map=True)

    @cached_property
    def size(self) -> int:
        """How many numbers were given when these were made."""
        return int(self._values.metadata.num_rows)

    @cached_property
    def words(self) -> int:
        """How many 64-bit words a bitmap has."""
        return (self.size + 63) // 64

    @cached_property
    def index(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Place and number of persons of each bitmap, by name and value (`true` of a flag)."""
        table = self._file.read(columns=["name", "value", "users"])
        names, values, users = (table.column(i).to_pylist() for i in range(3))
        return {
            (name, value): (place, count)
            for place, (name, value, count) in enumerate(zip(names, values, users, strict=True))
        }

    @cached_property
    def values_of(self) -> Mapping[str, tuple[str, ...]]:
        """The values that each name has a bitmap of."""
        found: dict[str, list[str]] = {}
        for name, value in self.index:
            found.setdefault(name, []).append(value)
        return {name: tuple(values) for name, values in found.items()}

    @cached_property
    def kept_as_columns(self) -> frozenset[str]:
        """The names whose values are kept as a column."""
        return frozenset(self._values.schema_arrow.names) - {"user_seq"}

    @cached_property
    def everybody(self) -> "Bits":
        """Who is in the snapshot."""
        return self.read(EVERYBODY)

    def read(self, name: str, value: str = "true") -> "Bits":
        """The bitmap of a value, empty where nobody has it."""
        import numpy as np

        found = self.index.get((name, value))
        if found is None:
            return np.zeros(self.words, np.uint64)
        group = self._file.read_row_group(found[0], columns=["bits"])
        return np.frombuffer(group.column(0)[0].as_buffer(), np.uint64)

    def column(self, name: str) -> "pa.ChunkedArray":
        """The values of a name, one per user_seq; null of whom has none."""
        return self._values.read(columns=[name]).column(0)

    def read_persons(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """one_id and what is shown of these persons, masked, by number."""
        from pyarrow import parquet

        file = parquet.ParquetFile(self.folder / _PERSONS, memory_map=True)
        found: list[dict[str, Any]] = []
        # numbers are given without a gap, so a number says in which group of rows it is
        for group in sorted({number // _ROW_GROUP for number in numbers}):
            inside = [n % _ROW_GROUP for n in sorted(set(numbers)) if n // _ROW_GROUP == group]
            found += file.read_row_group(group).take(inside).to_pylist()
        return found

    def values_at(self, name: str, numbers: Sequence[int]) -> list[Any]:
        """What each of these persons has of a name: a value, or of bitmaps a list of values."""
        if not numbers:
            return []
        if name in self.kept_as_columns:
            return [value.as_py() for value in self.column(name).take(list(numbers))]
        held = [
            (value, [bool(bits[n // 64] >> (n % 64) & 1) for n in numbers])
            for value in self.values_of.get(name, ())
            for bits in [self.read(name, value).tolist()[: max(numbers, default=0) // 64 + 1]]
        ]
        return [[value for value, flags in held if flags[i]] for i in range(len(numbers))]


def count(bits: "Bits") -> int:
    """How many persons a bitmap holds."""
    import numpy as np

    return int(np.bitwise_count(bits).sum())


def pack(flags: "NDArray[np.bool_]", words: int) -> "Bits":
    """A bitmap of flags, the first one in the lowest bit of the first word."""
    import numpy as np

    packed = np.zeros(words * 8, np.uint8)
    found = np.packbits(flags, bitorder="little")
    packed[: len(found)] = found
    return packed.view(np.uint64)


def pack_arrow(flags: Any, words: int) -> "Bits":
    """A bitmap of an Arrow array of flags; what is unknown does not hold."""
    import numpy as np
    import pyarrow as pa

    found = flags.combine_chunks() if isinstance(flags, pa.ChunkedArray) else flags
    if found.offset:
        return pack(found.fill_null(False).to_numpy(zero_copy_only=False), words)
    packed = np.zeros(words * 8, np.uint8)
    valid, data = found.buffers()
    # Arrow keeps flags as these bitmaps do
    size = (len(found) + 7) // 8
    packed[:size] = np.frombuffer(data, np.uint8, size)
    if valid is not None:
        packed[:size] &= np.frombuffer(valid, np.uint8, size)
    return packed.view(np.uint64)


def members(bits: "Bits", most: int | None = None) -> list[int]:
    """The numbers of the persons in a bitmap, at most the first `most`."""
    import numpy as np

    words = np.flatnonzero(bits)[: most or None]
    flags = np.unpackbits(bits[words].view(np.uint8), bitorder="little").reshape(len(words), 64)
    rows, places = np.nonzero(flags)
    return [int(n) for n in (words[rows] * 64 + places)[: most or None]]


def count_overlaps(bitmaps: Sequence["Bits"]) -> "NDArray[np.int64]":
    """How many persons each pair of bitmaps has in common, as a square."""
    import numpy as np

    stacked = np.stack(list(bitmaps))
    shared = np.zeros((len(stacked), len(stacked)), np.int64)
    for place, one in enumerate(stacked):
        # block after block, so that what is compared stays near the processor
        shared[place, place:] = np.bitwise_count(stacked[place:] & one).sum(axis=1)
    return np.maximum(shared, shared.T)


def bitmap_folder(settings: Settings, snapshot_id: str) -> Path:
    """Where the bitmaps of a snapshot are."""
    return settings.path("published", "bitmaps", snapshot_id)


def ready_bitmaps(settings: Settings, snapshot_id: str) -> Bitmaps:
    """The bitmaps of a published snapshot, made now where they are not there.

    Raises ZhongtaiError where the snapshot has no profile file to make them from.
    """
    folder = bitmap_folder(settings, snapshot_id)
    if not folder.is_dir():
        file = settings.path("published", "profiles", f"{snapshot_id}.duckdb")
        if not file.exists():
            raise ZhongtaiError(
                f"the profiles of snapshot {snapshot_id} are not there: {file}",
                hint="publish again with `zhongtai run`",
            )
        with _locked(folder.parent):
            if not folder.is_dir():
                _write(settings, file, folder)
    return Bitmaps(folder)


def drop_bitmaps(settings: Settings, snapshot_id: str) -> None:
    """Delete the bitmaps of a snapshot; the numbers of persons stay."""
    shutil.rmtree(bitmap_folder(settings, snapshot_id), ignore_errors=True)
    reach("clean_up.bitmaps_dropped")


def remove_abandoned(settings: Settings) -> None:
    """Remove what processes that died left unfinished: it tells of persons."""
    root = settings.path("published", "bitmaps")
    with _locked(root):
        for left in (file for file in root.glob(".*") if file.name != _LOCK):
            remove(left)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Only one process at a time gives numbers."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(settings: Settings, file: Path, folder: Path) -> None:
    """Write the bitmaps of one profile file, all or none of them."""
    from zhongtai.publish.duckdb_store import open_engine
    from zhongtai.publish.encryption import attach

    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    staged.mkdir(mode=0o700)
    try:
        with open_engine(settings) as engine:
            attach(engine, settings, file, "profiles")
            _write_moment(engine, settings.path("published", "metrics", file.name))
            _number_persons(engine, folder.parent / _USERS)
            _write_values(engine, describe_columns(engine), staged)
            _write_persons(engine, staged / _PERSONS)
        staged.rename(folder)
        reach("publish.bitmaps_ready")
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write_moment(engine: "DuckDBPyConnection", metrics: Path) -> None:
    """Write temp table moment (as_of) of the snapshot, whose metrics are published first."""
    engine.execute(f"attach {literal(str(metrics))} as metrics (read_only)")
    engine.execute(
        "create temp table moment as select max(as_of) as as_of from metrics.main.meta_snapshots"  # noqa: S608
        f" where snapshot_id = {literal(metrics.stem)}"
    )


def _number_persons(engine: "DuckDBPyConnection", file: Path) -> None:
    """Write temp table numbers (user_seq, one_id): all of the file, then who is not in it yet."""
    engine.execute("create temp table numbers (user_seq bigint, one_id varchar)")
    if file.exists():
        engine.execute("insert into numbers from read_parquet(?)", [str(file)])
    engine.execute(
        "insert into numbers select (select coalesce(max(user_seq), -1) from numbers)"
        " + row_number() over (order by one_id), one_id"
        " from profiles.main.dim_users anti join numbers using (one_id)"
    )
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL, 0o600))
    engine.execute(
        f"copy (from numbers order by user_seq) to {literal(str(fresh))}"
        " (format parquet, compression zstd, row_group_size 30720, use_tmp_file false)"
    )
    fresh.replace(file)
    reach("publish.bitmap_numbers")


def _write_persons(engine: "DuckDBPyConnection", file: Path) -> None:
    from pyarrow import parquet

    table = engine.execute(describe_persons(engine)).to_arrow_table()
    parquet.write_table(table, file, compression="lz4", row_group_size=_ROW_GROUP)
    file.chmod(0o600)


def _write_values(engine: "DuckDBPyConnection", populace: Populace, folder: Path) -> None:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    size = int(engine.execute("select count(*) from numbers").fetchall()[0][0])
    words = (size + 63) // 64
    kept: dict[str, Any] = {"user_seq": pa.array(np.arange(size, dtype=np.int64))}
    schema = pa.schema(
        {"name": pa.string(), "value": pa.string(), "users": pa.int64(), "bits": pa.binary()}
    )
    with parquet.ParquetWriter(folder / _BITS, schema, compression="zstd") as writer:
        for name, value, bits in _list_bitmaps(engine, populace, kept, words):
            row = pa.table([[name], [value], [count(bits)], [bits.tobytes()]], schema=schema)
            # a bitmap is read alone, so it is a row group of its own
            writer.write_table(row)
    parquet.write_table(pa.table(kept), folder / _VALUES, compression="lz4")
    for file in folder.iterdir():
        file.chmod(0o600)


def _list_bitmaps(
    engine: "DuckDBPyConnection", populace: Populace, kept: dict[str, Any], words: int
) -> Iterator[tuple[str, str, "Bits"]]:
    """Every bitmap by name and value; columns that have none are put into `kept`."""
    for name, value, sql in populace.flags:
        table = engine.execute(sql).to_arrow_table()
        yield name, value, pack(_flags(table.column(0)), words)
    names = [name for name, column in populace.columns.items() if not column.is_personal]
    for first in range(0, len(names), _COLUMNS_AT_ONCE):
        chosen = names[first : first + _COLUMNS_AT_ONCE]
        table = engine.execute(read_columns(populace, chosen)).to_arrow_table()
        for name in chosen:
            yield from _split(name, populace.columns[name].type, table.column(name), kept, words)


def _split(
    name: str, kind: str, column: "pa.ChunkedArray", kept: dict[str, Any], words: int
) -> Iterator[tuple[str, str, "Bits"]]:
    """The bitmaps of a column, or the column itself into `kept`."""
    import numpy as np

    if kind == "boolean":
        yield name, "true", pack(_flags(column), words)
        return
    if kind == "list":
        yield from _split_lists(name, column, words)
        return
    if kind != "text":
        kept[name] = column
        return
    codes = column.combine_chunks().dictionary_encode()
    texts = codes.dictionary.to_pylist()
    if len(texts) > _MOST_BITMAPS:
        kept[name] = codes
        return
    places = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    for code, text in sorted(enumerate(texts), key=lambda pair: str(pair[1])):
        yield name, text, pack(np.equal(places, code), words)


def _split_lists(
    name: str, column: "pa.ChunkedArray", words: int
) -> Iterator[tuple[str, str, "Bits"]]:
    """The bitmaps of who has a value among others."""
    import numpy as np
    from pyarrow import compute

    lists = column.combine_chunks()
    numbers = compute.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    codes = compute.list_flatten(lists).dictionary_encode()
    places = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    for code, text in sorted(
        enumerate(codes.dictionary.to_pylist()), key=lambda pair: str(pair[1])
    ):
        flags = np.zeros(len(lists), np.bool_)
        flags[numbers[places == code]] = True
        yield name, text, pack(flags, words)


def _flags(column: "pa.ChunkedArray") -> "NDArray[np.bool_]":
    found: NDArray[np.bool_] = (
        column.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False)
    )
    return found
