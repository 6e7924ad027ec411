"""Options that many commands share, and how their texts become settings and instants."""

import logging
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.settings import Settings

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


def _read_folder(text: str) -> Path:
    """A path; an empty one is a variable that nobody set, not the folder where we are."""
    if not text.strip():
        raise typer.BadParameter("it is empty: give a folder, or leave the option away")
    return Path(text)


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        parser=_read_folder,
        metavar="PATH",
        help="Folder of everything zhongtai keeps (or ZHONGTAI_HOME).",
    ),
]
Landing = Annotated[
    str | None,
    typer.Option(
        "--landing", help="Folder or fsspec URL where exports arrive (or ZHONGTAI_LANDING)."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Look from this instant: a date (its midnight in Shanghai) or an ISO time."
        " Default: now.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunId = Annotated[
    str | None, typer.Option("--run", help="Run id that build gave. Default: the last candidate.")
]
Because = Annotated[str, typer.Option("--because", help="The reason, which is recorded.")]


def make_settings(home: Path | None, landing: str | None = None) -> "Settings":
    """Settings with what the command line says on top of the environment."""
    from zhongtai.settings import load_settings

    if landing is not None:
        landing = _check_landing(landing)
    settings = load_settings(home=home, landing=landing)
    if settings.home.exists() and not settings.home.is_dir():
        raise ConfigurationError(
            f"{settings.home} is a file, not a folder", hint="give a folder with --home"
        )
    if not settings.project_dir.is_dir():
        raise ConfigurationError(
            f"ZHONGTAI_PROJECT_DIR={settings.project_dir} is no folder",
            hint="give the one that holds dbt_project/, expectations/ and seeds/, or unset it",
        )
    _listen(settings.log_level)
    return settings


def _listen(level: str) -> None:
    """Show what our own modules log from that level on; libraries may quote what they handle."""
    if level != "WARNING":
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        logging.getLogger("zhongtai").setLevel(level)


def _check_landing(landing: str) -> str:
    """A landing zone that can be used, as a URL or an absolute path."""
    from zhongtai.addresses import masked
    from zhongtai.landing import LandingZone, is_local

    if not landing.strip():
        raise ConfigurationError(
            "--landing is empty", hint="give a folder or a URL, or leave the option away"
        )
    url = str(Path(landing).absolute()) if is_local(landing) and "://" not in landing else landing
    if not LandingZone(url).check():
        # no fault: an object store has no empty folders
        typer.echo(f"nothing lies in {masked(url)} yet", err=True)
    return url


def open_home(home: Path | None, landing: str | None = None) -> "Settings":
    """Settings of a home that is there, for commands that could find nothing in a new one.

    Raises ConfigurationError for a folder that does not exist; nothing is made in its place.
    """
    settings = make_settings(home, landing)
    if not settings.home.exists() and not settings.database_url.get_secret_value():
        raise ConfigurationError(
            f"there is no home at {settings.home.absolute()}",
            hint="give the right one with --home or ZHONGTAI_HOME; `zhongtai run` makes a new one",
        )
    return settings


def without_waiting(settings: "Settings") -> "Settings":
    """For a one-shot run: what lies in the landing zone now is complete, unless set otherwise."""
    if settings.stable_seconds is None:
        return settings.model_copy(update={"stable_seconds": 0})
    return settings


def parse_as_of(text: str | None, option: str = "--as-of") -> datetime | None:
    """An aware UTC instant: a date is its midnight in Shanghai, and so is a time without a zone.

    Raises ConfigurationError for anything else.
    """
    if text is None:
        return None
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            found = datetime(day.year, day.month, day.day, tzinfo=CHINA)
        else:
            found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=CHINA)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        # the first and last hours of the calendar have no UTC
        raise ConfigurationError(
            f"{option} {text} is neither a date nor an ISO time",
            hint="for instance 2026-03-31 or 2026-03-31T18:00+08:00",
        ) from error
