"""Faults of disks and databases: the n-th call of a kind fails in this process, once or for good.

Interposed in Python, so that a machine without a C compiler can do it: what our own code calls.
What DuckDB and Arrow write by themselves fails as a statement or as a whole; `fault_disk.c` goes
below that.
"""

import builtins
import errno
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq

KINDS = ("open", "write", "fsync", "rename", "remove", "copy", "database", "duckdb")
_DISK = ("ENOSPC", "EIO", "EACCES")
# What can go wrong with a call of each kind.
ERRORS = {
    "open": ("EACCES", "ENOSPC", "EIO"),
    "write": ("ENOSPC", "short", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "rename": ("EACCES", "EIO", "ENOSPC"),
    "remove": ("EACCES", "EIO"),
    "copy": ("full", "gone"),
    "database": ("full", "gone"),
    "duckdb": ("ENOSPC",),
}
# Statements of DuckDB that write a file.
_WRITES = ("copy", "checkpoint", "commit", "attach", "create", "insert", "update", "delete")

calls: Counter[str] = Counter()
_plan: tuple[str, int, str, bool] | None = None


def _is_due(kind: str) -> str | None:
    """Count a call; the error that it has to end with, None where it goes well."""
    calls[kind] += 1
    if _plan is None or _plan[0] != kind:
        return None
    _, number, error, lasts = _plan
    return error if calls[kind] == number or (lasts and calls[kind] > number) else None


def _disk_error(error: str, path: object) -> OSError:
    code = getattr(errno, error if error in _DISK else "ENOSPC")
    return OSError(code, os.strerror(code), str(path))


def _refuse(kind: str, real: Callable[..., Any], home: str) -> Callable[..., Any]:
    """A function that fails before it does anything, for paths below the home."""

    def call(*arguments: Any, **named: Any) -> Any:
        if any(str(a).startswith(home) for a in arguments[:2]) and (error := _is_due(kind)):
            raise _disk_error(error, arguments[0])
        return real(*arguments, **named)

    return call


def _refuse_open(real: Callable[..., Any], home: str) -> Callable[..., Any]:
    """Opening a file of the home to write it."""

    def call(file: Any, mode: Any = "r", *arguments: Any, **named: Any) -> Any:
        writes = isinstance(mode, str) and set(mode) & set("wxa+")
        writes = writes or (isinstance(mode, int) and mode & (os.O_WRONLY | os.O_RDWR))
        if writes and str(file).startswith(home) and (error := _is_due("open")):
            raise _disk_error(error, file)
        return real(file, mode, *arguments, **named)

    return call


def _cut(real: Callable[..., Any], home: str, place: int) -> Callable[..., Any]:
    """A function that writes: a short write leaves half of the file before it fails."""

    def call(*arguments: Any, **named: Any) -> Any:
        path = Path(str(arguments[place]))
        if not str(path).startswith(home) or not (error := _is_due("write")):
            return real(*arguments, **named)
        if error == "short":
            real(*arguments, **named)
            os.truncate(path, path.stat().st_size // 2)
        raise _disk_error(error, path)

    return call


def _cut_part(real: Callable[..., Any]) -> Callable[..., Any]:
    """`ParquetWriter.write_table`, whose file is not told."""

    def call(*arguments: Any, **named: Any) -> Any:
        error = _is_due("write")
        if error == "short":
            real(*arguments, **named)
        if error:
            raise _disk_error(error, "a part")
        return real(*arguments, **named)

    return call


def _lose(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """A call to PostgreSQL: its disk is full, or its session is gone."""

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        error = _is_due(kind)
        if error == "gone":
            connection = self if isinstance(self, psycopg.Connection) else self.connection
            connection.pgconn.finish()
            raise psycopg.OperationalError("the server closed the connection unexpectedly")
        if error:
            raise psycopg.errors.DiskFull("could not extend file: No space left on device")
        return real(self, *arguments, **named)

    return call


def _fill_disk(real: Callable[..., Any]) -> Callable[..., Any]:
    """A statement of DuckDB that writes."""

    def call(self: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        if str(query).lstrip().lower().startswith(_WRITES) and _is_due("duckdb"):
            raise duckdb.IOException("IO Error: Could not write file: No space left on device")
        return real(self, query, *arguments, **named)

    return call


def interpose(home: str, plan: tuple[str, int, str, bool] | None) -> None:
    """Let calls of this process fail by a plan (kind, number, error, from then on); None counts."""
    global _plan  # noqa: PLW0603  # of a child that ends with the trial
    _plan = plan
    for module in (builtins, io):
        module.open = _refuse_open(open if module is builtins else io.open, home)
    os.open = _refuse_open(os.open, home)
    os.fsync = _wrap_sync(os.fsync)
    for name in ("rename", "replace", "link", "symlink"):
        setattr(os, name, _refuse("rename", getattr(os, name), home))
    for name in ("unlink", "remove", "rmdir"):
        setattr(os, name, _refuse("remove", getattr(os, name), home))
    os.mkdir = _refuse("open", os.mkdir, home)
    shutil.copyfile = _cut(shutil.copyfile, home, 1)
    Path.write_text = _cut(Path.write_text, home, 0)  # type: ignore[method-assign]
    Path.write_bytes = _cut(Path.write_bytes, home, 0)  # type: ignore[method-assign]
    pq.write_table = _cut(pq.write_table, home, 1)
    pq.ParquetWriter.write_table = _cut_part(pq.ParquetWriter.write_table)
    psycopg.Copy.write = _lose("copy", psycopg.Copy.write)
    psycopg.Cursor.execute = _lose("database", psycopg.Cursor.execute)
    duckdb.DuckDBPyConnection.execute = _fill_disk(duckdb.DuckDBPyConnection.execute)


def _wrap_sync(real: Callable[[int], None]) -> Callable[[int], None]:
    def call(descriptor: int) -> None:
        if error := _is_due("fsync"):
            raise _disk_error(error, descriptor)
        real(descriptor)

    return call
