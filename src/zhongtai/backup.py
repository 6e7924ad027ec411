"""The database of a home as one file, and back: ledger, decisions, and what PostgreSQL publishes.

The files of a home that matter (raw parts, quarantine, identity maps) are added and never changed,
so a copy of them that is taken after this one fits to it.
"""

import os
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from zhongtai.access import create_roles, grant_rights
from zhongtai.database import database_url
from zhongtai.embedded_server import postgres_program
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings, subprocess_environment


def back_up(settings: Settings, file: Path) -> int:
    """Write the database to a new file that only its owner reads; returns its bytes.

    Other sessions go on; the file is the state of one instant, whole or not there at all. Raises
    ConfigurationError where the file exists or cannot be made, ZhongtaiError where PostgreSQL
    cannot be read.
    """
    if file.exists():
        raise ConfigurationError(
            f"{file} is there already", hint="give another name, or move the old backup away"
        )
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # persons are in it: nobody else may read it while it grows, nor have made it before us
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"the backup cannot be written to {file}: {(error.strerror or 'refused').lower()}",
            hint="give a file in a folder that you may write",
        ) from error
    try:
        _call(settings, "pg_dump", "--format=custom", f"--file={partial}")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file.stat().st_size


def restore(settings: Settings, file: Path) -> None:
    """Fill the empty database of a home from a backup, in one transaction.

    Raises ConfigurationError where there is no such file, or where the database holds a ledger
    already, and ZhongtaiError where the file is no backup.
    """
    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}", hint="name the file of a backup")
    with psycopg.connect(database_url(settings), autocommit=True) as connection:
        found = connection.execute("select to_regclass('ledger.deliveries')").fetchone()
        if found and found[0]:
            raise ConfigurationError(
                "the database holds a ledger already, and a backup replaces nothing",
                hint="move <home>/postgres away, or name an empty database in"
                " ZHONGTAI_DATABASE_URL",
            )
        # what may read is granted to roles, which belong to the server and not to the database
        create_roles(connection)
    _call(
        settings, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", str(file)
    )
    with psycopg.connect(database_url(settings)) as connection:
        # whoever restored owns everything now, what the publisher has to own included
        grant_rights(connection)


def _call(settings: Settings, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on our database, its password out of sight of other users."""
    parts = conninfo_to_dict(database_url(settings))
    password = str(parts.pop("password", None) or "")
    ended = subprocess.run(
        [str(postgres_program(program)), f"--dbname={make_conninfo('', **parts)}", *arguments],
        env=subprocess_environment(PGPASSWORD=password),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise ZhongtaiError(
            f"{program} failed: {ended.stderr.strip()[-1000:]}",
            hint="see that the disk has room, that the file is whole, and that the server of"
            " ZHONGTAI_DATABASE_URL is not newer than this program; then try again",
        )
