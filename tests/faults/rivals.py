"""Processes that do the same thing at the same time; each is forked, so it starts at once."""

import json
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings, load_settings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["duckdb", "pyarrow.parquet", "psycopg", "zhongtai.pipeline", "rival_programs"]
)
_PATIENCE = 120.0


@dataclass
class Rival:
    """A process at work in a home."""

    process: BaseProcess
    folder: Path

    @property
    def pid(self) -> int:
        """Its number, by which messages name it."""
        assert self.process.pid is not None
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.join()

    def wait_for(self, mark: str) -> None:
        """Wait until it says that it has come so far."""
        deadline = time.monotonic() + _PATIENCE
        while not (self.folder / mark).exists():
            assert self.process.is_alive(), f"it ended before {mark}: {self.read()}"
            assert time.monotonic() < deadline, f"it never came to {mark}"
            time.sleep(0.02)

    def go_on(self, mark: str) -> None:
        """Let it go on from where it waits."""
        (self.folder / f"{mark}.go").touch()

    def read(self) -> dict[str, Any]:
        """What it returned or raised; empty where it was killed."""
        answer = self.folder / "answer.json"
        return json.loads(answer.read_text()) if answer.exists() else {}

    def result(self) -> Any:
        """What it returned, once it has ended; fails where it raised."""
        self.process.join(_PATIENCE)
        answer = self.read()
        assert "returned" in answer, answer
        return answer["returned"]

    def refusal(self) -> str:
        """What it was refused with, once it has ended."""
        self.process.join(_PATIENCE)
        answer = self.read()
        assert "refused" in answer, answer
        return str(answer["refused"])


@dataclass
class Rivals:
    """Starts processes in one home, and ends those that are left."""

    settings: Settings
    folder: Path
    started: list[Rival] = field(default_factory=list)

    def start(self, program: Callable[..., object], **arguments: object) -> Rival:
        """Start a function of a module, which gets the settings, its folder and the arguments."""
        folder = self.folder / f"rival-{len(self.started)}"
        folder.mkdir(parents=True)
        given = {
            "home": str(self.settings.home),
            "database_url": self.settings.database_url.get_secret_value(),
            "stable_seconds": 0,
            "threads": 1,
            "memory_limit": "512MB",
            "project_dir": str(self.settings.project_dir),
        }
        process = _CONTEXT.Process(target=_run, args=(program, given, folder, arguments))
        process.start()
        self.started.append(Rival(process, folder))
        return self.started[-1]


@contextmanager
def rivals_in(settings: Settings, folder: Path) -> Iterator[Rivals]:
    """Rivals in a home; whoever is left at the end is killed."""
    made = Rivals(settings, folder)
    try:
        yield made
    finally:
        for rival in made.started:
            if rival.process.is_alive():
                rival.kill()


def _run(
    program: Callable[..., object],
    given: dict[str, Any],
    folder: Path,
    arguments: dict[str, Any],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        returned = program(load_settings(**given), folder, **arguments)
        answer: dict[str, Any] = {"returned": returned}
    except ZhongtaiError as error:
        answer = {"refused": str(error)}
    except BaseException:
        answer = {"broke": traceback.format_exc()}
    unfinished = folder / "answer.unfinished"
    unfinished.write_text(json.dumps(answer, default=str))
    unfinished.rename(folder / "answer.json")
