"""Commands about services: up, down, demo, database."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Home, make_settings, open_home
from zhongtai.cli.output import say, say_json
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.settings import Settings

PANEL = "Services"
# What a command says to machines, and to people.
_Told = tuple[dict[str, object], str]
_BACKUP = """Write the whole database to one file, while everything goes on. It holds personal data.

**Examples**

    zhongtai database backup /backups/zhongtai-2026-03-31.dump --home .zhongtai
"""
_RESTORE = """Fill an empty database from a backup; one that holds a ledger is left alone.

**Examples**

    zhongtai database restore /backups/zhongtai-2026-03-31.dump --home .zhongtai
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (up, down, demo):
        app.command(rich_help_panel=PANEL)(command)
    database = typer.Typer(no_args_is_help=True, help="The PostgreSQL of a home.")
    for action in (start, stop, url, migrate):
        database.command()(action)
    backup = _with_file(_back_up, "A new file, in a folder of your own.", open_home)
    database.command("backup", help=_BACKUP)(backup)
    restore = _with_file(_restore, "A file that `database backup` wrote.", make_settings)
    database.command("restore", help=_RESTORE)(restore)
    app.add_typer(database, name="database", rich_help_panel=PANEL)


def up(home: Home = None, as_json: AsJson = False) -> None:
    """Start PostgreSQL and Airflow, which run everything that arrives from then on.

    **Examples**

        zhongtai up --home .zhongtai
    """
    settings = make_settings(home)
    with server_on_demand(settings, keep=True):
        from zhongtai.service import start_services

        address = start_services(settings, _ignore if as_json else say)
    if as_json:
        say_json({"url": address.url, "user": address.user, "password": address.password})
    else:
        say(f"Airflow  {address.url}  user {address.user}  password {address.password}")


def _ignore(_: str) -> None:
    """Say nothing where a machine reads."""


def down(home: Home = None, as_json: AsJson = False) -> None:
    """Stop everything that runs for this home.

    **Examples**

        zhongtai down --home .zhongtai
    """
    from zhongtai.service import stop_services

    stopped = stop_services(make_settings(home))
    if as_json:
        say_json({"stopped": stopped})
    else:
        say("stopped " + ", ".join(stopped) if stopped else "nothing was running")


def demo(home: Home = None) -> None:
    """Show the whole platform on sample exports, with a real Airflow; it stays up afterwards.

    **Examples**

        zhongtai demo --home .zhongtai
    """
    settings = make_settings(home)
    with server_on_demand(settings, keep=True):
        from rich.console import Console

        from zhongtai.demo import run_demo, start_demo

        console = Console()
        address = start_demo(settings, console)
    # outside of the block: a wave that fails leaves the services up to be looked at
    run_demo(settings, console, address)


def start(home: Home = None) -> None:
    """Start the embedded PostgreSQL and leave it running; prints its URL.

    **Examples**

        zhongtai database start --home .zhongtai
    """
    settings = make_settings(home)
    if settings.database_url.get_secret_value():
        raise ConfigurationError(
            "ZHONGTAI_DATABASE_URL names a server, so there is no embedded one",
            hint="start that server by its own means, or empty the setting",
        )
    with server_on_demand(settings, keep=True):
        from zhongtai.database import connect
        from zhongtai.embedded_server import embedded_server_url

        with connect(settings):
            say(embedded_server_url(settings))


def stop(home: Home = None) -> None:
    """Stop the embedded PostgreSQL.

    **Examples**

        zhongtai database stop --home .zhongtai
    """
    from zhongtai.embedded_server import stop_embedded_server

    stopped = stop_embedded_server(make_settings(home))
    say("stopped" if stopped else "it was not running")


def url(
    home: Home = None,
    database: Annotated[
        str, typer.Option("--database", help="Name of the database in the embedded server.")
    ] = "zhongtai",
) -> None:
    """Print the URL that BI tools and psql connect to; `database start` keeps the server up.

    **Examples**

        psql "$(zhongtai database url --home .zhongtai)"
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.database import database_url

        say(database_url(settings, database))


def migrate(
    home: Home = None,
    with_airflow: Annotated[
        bool, typer.Option("--with-airflow", help="Airflow's own tables and the writer pool too.")
    ] = False,
) -> None:
    """Bring the tables of zhongtai up to date, and those of Airflow if asked.

    **Examples**

        zhongtai database migrate

        zhongtai database migrate --with-airflow
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.database import connect
        from zhongtai.service import migrate_airflow

        with connect(settings):
            say("zhongtai is up to date")
        if with_airflow:
            migrate_airflow(settings)
            say("Airflow is up to date")


def _with_file(
    work: Callable[["Settings", Path], _Told],
    meaning: str,
    find_home: Callable[[Home], "Settings"],
) -> Callable[..., None]:
    """The command that does `work` on the file whose argument has this meaning."""

    def command(
        file: Annotated[Path, typer.Argument(help=meaning)],
        home: Home = None,
        as_json: AsJson = False,
    ) -> None:
        settings = find_home(home)
        with server_on_demand(settings):
            values, text = work(settings, file)
        if as_json:
            say_json(values)
        else:
            say(text)

    return command


def _back_up(settings: "Settings", file: Path) -> _Told:
    from zhongtai.backup import back_up

    size = back_up(settings, file)
    text = f"{file}: {size:,} bytes; now copy the folders named in docs/operations.md"
    return {"file": str(file), "bytes": size}, text


def _restore(settings: "Settings", file: Path) -> _Told:
    from zhongtai.backup import restore

    restore(settings, file)
    return {"restored": str(file)}, "restored; `zhongtai run` goes on from there"
