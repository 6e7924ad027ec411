"""A child process that is killed at a crash point, or around any call to disk or database."""

import itertools
import os
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow.parquet as pq

from zhongtai import crash_points

# What changes something outside of the process: it may die right before and right after.
_CALLS: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (os, "mkdir"),
    (os, "rename"),
    (os, "replace"),
    (os, "rmdir"),
    (os, "symlink"),
    (os, "unlink"),
    (shutil, "copyfile"),
    (pq.ParquetWriter, "close"),
    (psycopg.Connection, "execute"),
    (psycopg.Connection, "commit"),
    (psycopg.Cursor, "execute"),
    (psycopg.Cursor, "copy"),
    (psycopg.Transaction, "__exit__"),
)
# later than any call
NEVER = 1 << 40
_PATIENCE = 600.0


@dataclass(frozen=True)
class Ended:
    """How the child ended: where it was killed, or with what it failed; else it was through."""

    killed_at: str = ""
    failure: str = ""


def run_and_kill(work: Callable[[], object], at: int) -> Ended:
    """Do the work in a child that is killed at its call number `at`, if it makes so many."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(work, at, writer)
    os.close(writer)
    try:
        return _outcome(child, reader)
    finally:
        os.close(reader)


def _live(work: Callable[[], object], at: int, writer: int) -> None:
    """The life of the child, which never returns."""
    code = 1
    try:
        _arm(at, writer)
        work()
        code = 0
    except BaseException:
        os.write(writer, f"failed {traceback.format_exc()[-4000:]}".encode())
    finally:
        os._exit(code)


def _arm(at: int, writer: int) -> None:
    numbers = itertools.count(1)

    def pause(moment: str, name: str) -> None:
        if next(numbers) == at:
            os.write(writer, f"killed {moment} {name} in {_caller()}".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def surround(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def called(*arguments: Any, **named: Any) -> Any:
            pause("before", name)
            result = real(*arguments, **named)
            pause("after", name)
            return result

        setattr(owner, name, called)

    def pass_point() -> None:
        pause("at", str(sys._getframe(1).f_locals["point"]))

    for owner, name in _CALLS:
        surround(owner, name)
    # the named points of the product ask it, which is the one that they pass, whether to die there
    crash_points._read_armed = pass_point  # type: ignore[assignment]


def _caller() -> str:
    """The function of the product that makes the call."""
    frame = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("zhongtai"):
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return "a thread"


def _outcome(child: int, reader: int) -> Ended:
    told = b""
    deadline = time.monotonic() + _PATIENCE
    while select.select([reader], [], [], max(deadline - time.monotonic(), 0))[0]:
        block = os.read(reader, 65536)
        if not block:
            break
        told += block
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return Ended(failure=f"nothing was heard of it for {_PATIENCE:.0f} s")
    os.waitpid(child, 0)
    kind, _, text = told.decode("utf-8", "replace").partition(" ")
    return Ended(killed_at=text) if kind == "killed" else Ended(failure=text)
