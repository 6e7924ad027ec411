"""The command line. `zhongtai --help` lists the commands; each explains itself with examples."""

import signal
import sys
from types import FrameType

import typer

from zhongtai.cli import (
    audience,
    data,
    identity,
    inspection,
    platform,
    quarantine,
    reports,
    steps,
    tags,
)
from zhongtai.errors import ZhongtaiError

app = typer.Typer(
    name="zhongtai",
    help="Customer data platform for carmakers: exports in, one person per person, governed tags,"
    " quality-gated shared metrics out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (steps, inspection, reports, quarantine, identity, tags, audience, data, platform):
    group.register(app)


def main() -> None:
    """Run the command line; leaves with 0, 1 (failed), 2 (wrong usage) or 3 (held by the gate)."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        app()
    except ZhongtaiError as error:
        _explain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("zhongtai: stopped by Ctrl-C; the next run goes on from here", err=True)
        sys.exit(130)
    except Exception as error:
        sys.exit(_explain_unforeseen(error))


def _leave(number: int, _: FrameType | None) -> None:
    """End as an exception does, so that a server started on demand is stopped."""
    raise SystemExit(128 + number)


def _is_debugging() -> bool:
    from zhongtai.settings import load_settings

    try:
        return load_settings().log_level == "DEBUG"
    except ZhongtaiError:
        # the settings may be what is being explained
        return False


def _explain_unforeseen(error: Exception) -> int:
    """Explain it; returns the exit code."""
    from zhongtai.cli.output import describe_refusal

    refusal = describe_refusal(error)
    _explain(refusal or error)
    return refusal.exit_code if refusal else 1


def _explain(error: Exception) -> None:
    from zhongtai.cli.output import report_error, report_surprise

    if _is_debugging():
        import traceback

        from zhongtai.addresses import masked_within

        typer.echo(masked_within("".join(traceback.format_exception(error))), err=True, nl=False)
    elif isinstance(error, ZhongtaiError):
        report_error(error)
    else:
        report_surprise(error)
