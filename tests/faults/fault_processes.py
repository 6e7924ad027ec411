"""Processes of a trial: started from the zygote, killed at a crash point or at a moment."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_FOLDERS = (_HERE, _HERE.parent / "unit", _HERE.parent)


@dataclass(frozen=True)
class Ended:
    """How a child ended: what it returned or raised; neither where it was killed."""

    killed: bool
    seconds: float
    returned: Any = None
    raised: str | None = None


@dataclass
class Zygote:
    """The process that forks the children of trials."""

    process: "subprocess.Popen[str]"
    folder: Path
    calls: int = field(default=0)

    def call(
        self,
        program: str,
        /,
        *,
        environment: Mapping[str, str] | None = None,
        kill_after: float | None = None,
        may_abort: bool = False,
        **arguments: object,
    ) -> Ended:
        """Run `module:function` in a child, which is killed after `kill_after` seconds if given.

        With `may_abort` a library may end the child (SIGABRT), which counts as killed.
        """
        self.calls += 1
        answer = self.folder / f"answer-{self.calls}.json"
        request = {
            "call": program,
            "arguments": arguments,
            "environment": dict(environment or {}),
            "answer": str(answer),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        started = time.monotonic()
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        killer = threading.Timer(kill_after or 0, _kill, [child])
        if kill_after is not None:
            killer.start()
        status = int(self.process.stdout.readline())
        killer.cancel()
        seconds = time.monotonic() - started
        if os.WIFSIGNALED(status):
            expected = {signal.SIGKILL, *([signal.SIGABRT] if may_abort else [])}
            assert os.WTERMSIG(status) in expected, f"the child died of signal {status}"
            answer.unlink(missing_ok=True)
            return Ended(True, seconds)
        content = json.loads(answer.read_text("utf-8"))
        answer.unlink()
        return Ended(False, seconds, content.get("returned"), content.get("raised"))

    def must(self, program: str, /, **arguments: object) -> Any:
        """What the function returns; a child that raises fails the test."""
        ended = self.call(program, **arguments)  # type: ignore[arg-type]
        assert ended.raised is None, ended.raised
        return ended.returned


def _kill(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:  # it ended just before
        return


@contextmanager
def start_zygote(folder: Path, *modules: str, **environment: str) -> Iterator[Zygote]:
    """A zygote that has also imported `modules`, of tests/faults or of the product."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ZHONGTAI_")}
    clean["ZHONGTAI_ERASE_ON_REQUEST"] = "false"
    with (folder / "zygote.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(_HERE / "fault_zygote.py"), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**clean, "PYTHONPATH": os.pathsep.join(map(str, _FOLDERS)), **environment},
        )
    try:
        yield Zygote(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)
