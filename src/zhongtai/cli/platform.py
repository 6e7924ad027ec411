"""Commands about services: up, down, demo, database."""

from pathlib import Path
from typing import Annotated

import typer

from zhongtai.cli.options import AsJson, Home, make_settings
from zhongtai.cli.output import say, say_json
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError

PANEL = "Services"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (up, down, demo):
        app.command(rich_help_panel=PANEL)(command)
    database = typer.Typer(no_args_is_help=True, help="The PostgreSQL of a home.")
    for action in (start, stop, url, migrate, backup, restore):
        database.command()(action)
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
        from zhongtai.database import connect, embedded_server_url

        with connect(settings):
            say(embedded_server_url(settings))


def stop(home: Home = None) -> None:
    """Stop the embedded PostgreSQL.

    **Examples**

        zhongtai database stop --home .zhongtai
    """
    from zhongtai.database import stop_embedded_server

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


def backup(
    file: Annotated[Path, typer.Argument(help="A new file, in a folder of your own.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole database to one file, while everything goes on. It holds personal data.

    **Examples**

        zhongtai database backup /backups/zhongtai-2026-03-31.dump --home .zhongtai
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.backup import back_up

        size = back_up(settings, file)
    if as_json:
        say_json({"file": str(file), "bytes": size})
    else:
        say(f"{file}: {size:,} bytes; now copy the folders named in docs/operations.md")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `database backup` wrote.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Fill an empty database from a backup; one that holds a ledger is left alone.

    **Examples**

        zhongtai database restore /backups/zhongtai-2026-03-31.dump --home .zhongtai
    """
    settings = make_settings(home)
    with server_on_demand(settings):
        from zhongtai.backup import restore as restore_database

        restore_database(settings, file)
    if as_json:
        say_json({"restored": str(file)})
    else:
        say("restored; `zhongtai run` goes on from there")
