"""Which files of a home hold one of some values: as bytes, unpacked, or as a cell of a table."""

import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import duckdb

_BLOCK = 16 << 20
_TABLES = (".parquet", ".duckdb")


def find_holders(home: Path, values: Collection[str]) -> tuple[list[str], int]:
    """Files below `home` that hold a value (ASCII texts), and how many bytes were looked at."""
    import duckdb

    pattern = "|".join(sorted(re.escape(value) for value in values))
    overlap = max(len(value) for value in values) - 1
    found, looked = [], 0
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '2GB'")
        for file in sorted(home.rglob("*")):
            if not file.is_file() or file.is_symlink():
                continue
            looked += file.stat().st_size
            if _holds(file, pattern, overlap) or (
                file.suffix in _TABLES and _has_cell(connection, file, pattern)
            ):
                found.append(str(file.relative_to(home)))
    return found, looked


def _holds(file: Path, pattern: str, overlap: int) -> bool:
    is_packed = False
    with file.open("rb") as opened:
        is_packed = opened.read(2) == b"\x1f\x8b"
    readers = [_blocks(file)] + ([_unpacked(file)] if is_packed else [])
    return any(_matches(blocks, pattern, overlap) for blocks in readers)


def _matches(blocks: Iterator[bytes], pattern: str, overlap: int) -> bool:
    kept = b""
    for block in blocks:
        text = pa.array([kept + block], pa.large_binary())
        if pc.match_substring_regex(text, pattern)[0].as_py():
            return True
        # a value may lie across two blocks
        kept = block[-overlap:]
    return False


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            yield block


def _unpacked(file: Path) -> Iterator[bytes]:
    """What can be unpacked: sources cut files off."""
    unpacker = zlib.decompressobj(31)
    for block in _blocks(file):
        waiting = block
        while waiting and not unpacker.eof:
            yield unpacker.decompress(waiting, _BLOCK)
            waiting = unpacker.unconsumed_tail


def _has_cell(connection: "duckdb.DuckDBPyConnection", file: Path, pattern: str) -> bool:
    name = str(file).replace("'", "''")
    if file.suffix == ".parquet":
        return _has_row(connection, f"read_parquet('{name}')", pattern)
    connection.execute(f"attach '{name}' as looked_at (read_only)")
    try:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
        ).fetchall()
        return any(
            _has_row(connection, f'looked_at."{schema}"."{table}"', pattern)
            for schema, table in tables
        )
    finally:
        connection.execute("detach looked_at")


def _has_row(connection: "duckdb.DuckDBPyConnection", relation: str, pattern: str) -> bool:
    found = connection.execute(
        f"select 1 from {relation} as line where regexp_matches(cast(line as varchar), ?) limit 1",  # noqa: S608  # files of our own
        [pattern],
    ).fetchone()
    return found is not None
