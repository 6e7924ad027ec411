"""What a command writes: progress and errors to stderr, results to stdout."""

import errno
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.status import Status

from zhongtai.errors import ConfigurationError, ZhongtaiError

_PLAIN_SECONDS = 5.0
_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What a terminal would obey: control characters of both blocks, but line feed and tab.
_CONTROLS = {c: f"\\x{c:02x}" for c in (*range(9), *range(11, 32), *range(127, 160))}
# JSON escapes the first block by itself.
_CONTROLS_OF_JSON = {c: f"\\u{c:04x}" for c in range(127, 160)}


class Reporter:
    """Progress: a live line on a terminal, else a plain line for each step and now and then."""

    def __init__(self, status: "Status | None" = None) -> None:
        self._status = status
        self._step = ""
        self._started = self._printed = time.monotonic()

    def __call__(self, message: str) -> None:
        """Show what is being done; `step: detail` repeats the step with another detail."""
        step, now = message.split(":", 1)[0], time.monotonic()
        if self._status is not None:
            if step != self._step and self._step:
                self._status.console.print(
                    f"[green]✓[/green] {self._step} [dim]{now - self._started:.1f} s[/dim]",
                    highlight=False,
                )
            self._status.update(message)
        elif step != self._step or now - self._printed > _PLAIN_SECONDS:
            typer.echo(message, err=True)
            self._printed = now
        if step != self._step:
            self._step, self._started = step, now

    def finish(self) -> None:
        """Tick off the last step."""
        if self._status is not None and self._step:
            self(" ")


@contextmanager
def reporting(*, quiet: bool = False) -> Iterator[Reporter]:
    """Progress on stderr while the block runs; `quiet` where a machine reads."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield Reporter(None) if not quiet else _Silence()
        return
    with console.status("starting") as status:
        reporter = Reporter(status)
        yield reporter
        reporter.finish()


class _Silence(Reporter):
    def __call__(self, message: str) -> None:
        """Show nothing."""


def say(text: str) -> None:
    """A line of the result; a terminal obeys nothing that is in it."""
    typer.echo(text.translate(_CONTROLS))


def say_json(value: object) -> None:
    """The result for machines: one JSON document."""
    text = json.dumps(value, ensure_ascii=False, indent=1, default=_plain)
    typer.echo(text.translate(_CONTROLS_OF_JSON))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def say_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns; numbers to the right. Nothing where there are no rows."""
    cells = [
        ["" if v is None else str(_plain(v)).translate(_CONTROLS) for v in row] for row in rows
    ]
    if not cells:
        return
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    widths = [max(_width(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    for line in [list(header), *cells]:
        typer.echo(
            "  ".join(
                " " * (w - _width(c)) + c if r else c + " " * (w - _width(c))
                for c, w, r in zip(line, widths, right, strict=True)
            ).rstrip()
        )


def percent(share: float | None) -> str:
    """A share from 0 to 1 as people read it; nothing where there is none."""
    return "" if share is None else f"{share:.2%}"


def short(value: object) -> object:
    """A value for a table: of a number four digits after the point."""
    return round(value, 4) if isinstance(value, float) else value


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def report_error(error: ZhongtaiError) -> None:
    """One readable block on stderr."""
    typer.echo(f"zhongtai: {error}".translate(_CONTROLS), err=True)


def describe_refusal(error: BaseException) -> ZhongtaiError | None:
    """What the disk refused, in words; None for any other error."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _FULL:
        return ZhongtaiError(
            f"{error.filename or 'a file'}: {(error.strerror or 'no room').lower()}",
            hint="make room on the disk, then run again: it goes on from here",
        )
    if error.errno not in _REFUSALS:
        return None
    return ConfigurationError(
        f"{error.filename or 'a file'}: {(error.strerror or 'refused').lower()}",
        hint="the home must be on a disk, and belong to the user, that can write it;"
        " give another with --home or ZHONGTAI_HOME",
    )


def report_surprise(error: BaseException) -> None:
    """An error nobody foresaw, without a traceback and without values that may be personal."""
    from zhongtai.transform import without_values

    text = without_values(" ".join(str(error).split()))[:500]
    report_error(
        ZhongtaiError(
            f"unexpected {type(error).__name__}: {text}",
            hint="set ZHONGTAI_LOG_LEVEL=DEBUG for the traceback, and report it",
        )
    )
