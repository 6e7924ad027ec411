"""Workbooks that only python-calamine reads, each read in a process apart.

It keeps a place in memory for every cell up to the last filled one: a stray cell in the far corner
of a sheet asks for 500 GB, and the allocation that fails ends the process; damaged binary files
make it panic. Apart, that costs the file, not the run.
"""

import os
import pickle
import queue
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from zhongtai.readers.grid import Grid, read_grids
from zhongtai.readers.records import FileRejected

# What the largest sheet of the old format takes, with room to spare.
MEMORY_BYTES = 3 << 30
SECONDS = 600
_ROWS = 4096
# A process that has read a larger file than this does not read another: it may keep the memory.
_REUSED_BELOW = 4 << 20
_SCRIPT = Path(__file__).with_name("foreignbook_process.py")
_MOST_IDLE = 4


class _Process:
    """A process that reads workbooks for us."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", str(_SCRIPT), str(MEMORY_BYTES), str(SECONDS)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # what the library says when it panics may quote cells
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
        )
        self._pipes = cast("Any", self._process.stdin), cast("Any", self._process.stdout)
        self.is_reusable = True

    def ask(self, name: str, *arguments: object) -> Any:
        """The answer to a request; raises FileRejected where the file defeats the library."""
        requests, answers = self._pipes
        try:
            pickle.dump((name, arguments), requests)
            requests.flush()
            succeeded, answer = pickle.load(answers)  # noqa: S301 - from our own script
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self.stop()
            raise FileRejected(
                "unreadable",
                f"opening the workbook takes more than {MEMORY_BYTES >> 30} GiB of memory or"
                f" {SECONDS} s: as a rule a stray cell stands far outside of the table",
            ) from error
        if not succeeded:
            raise FileRejected("unreadable", f"not a readable workbook ({_in_words(answer)})")
        return answer

    def stop(self) -> None:
        """End the process."""
        self.is_reusable = False
        self._process.kill()
        self._process.communicate()


_idle: "queue.LifoQueue[_Process]" = queue.LifoQueue(_MOST_IDLE)


def _forget_idle() -> None:
    """A fork must not talk into the pipes of its parent."""
    global _idle  # noqa: PLW0603 - there is one pool a process
    _idle = queue.LifoQueue(_MOST_IDLE)


os.register_at_fork(after_in_child=_forget_idle)


class ForeignBook:
    """A workbook opened by python-calamine; `sheets` are its worksheets: name, visibility."""

    def __init__(self, path: Path) -> None:
        """Open it; raises FileRejected where it cannot be."""
        try:
            self._process = _idle.get_nowait()
        except queue.Empty:
            self._process = _Process()
        self._process.is_reusable &= path.stat().st_size < _REUSED_BELOW
        weakref.finalize(self, _give_back, self._process, os.getpid())
        self.sheets: list[tuple[str, bool]] = self._process.ask("open", str(path.resolve()))

    def rows(self, name: str) -> Iterator[list[Any]]:
        """The rows of a sheet from its first one on, cells as Python values.

        A sheet that is begun ends the one that was begun before.
        """
        self._process.ask("start", name)
        while block := self._process.ask("read", _ROWS):
            yield from block

    def grids(self, name: str) -> Iterator[Grid]:
        """Grids of a sheet."""
        start = self._process.ask("start", name)
        if start is not None:
            yield from read_grids(lambda count: self._process.ask("read", count), start[1])


def _give_back(process: _Process, owner: int) -> None:
    """Keep a process for the next workbook, or end it."""
    if owner != os.getpid():
        return
    if process.is_reusable:
        with suppress(FileRejected, queue.Full):
            process.ask("close")
            _idle.put_nowait(process)
            return
    process.stop()


def _in_words(failure: str) -> str:
    """What the library said, without the name of its error."""
    kind, _, said = failure.partition(": ")
    return "the library gave up on it" if kind == "PanicException" or not said else said
