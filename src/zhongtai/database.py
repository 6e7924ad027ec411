"""PostgreSQL: connections and migrations."""

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psycopg
from psycopg.conninfo import conninfo_to_dict

from zhongtai.access import act_as, create_roles, grant_rights, read_rights
from zhongtai.embedded_server import DATABASE, create_if_missing, embedded_server_url
from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings

# A relation (key, pid): the session advisory locks that anybody holds in this database.
ADVISORY_LOCKS = (
    "(select (classid::bigint << 32) | objid::bigint as key, pid from pg_locks"
    " where locktype = 'advisory' and granted and objsubid = 1 and database ="
    " (select oid from pg_database where datname = current_database())) as locks"
)
# Makes the server notice within a minute that the host of a session is gone, and free its locks.
_KEEP_ALIVE = (
    "set tcp_keepalives_idle to 30; set tcp_keepalives_interval to 10;"
    " set tcp_keepalives_count to 3"
)


def create_database(settings: Settings, database: str) -> None:
    """Make another database in the server that holds zhongtai's, unless it is there."""
    create_if_missing(database_url(settings), database)


def database_url(settings: Settings, database: str = DATABASE) -> str:
    """The configured PostgreSQL URL, else the embedded server's.

    Raises ConfigurationError where it cannot be read, without quoting it: a password is in it.
    """
    configured = settings.database_url.get_secret_value()
    if not configured:
        return embedded_server_url(settings, database)
    try:
        conninfo_to_dict(configured)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "ZHONGTAI_DATABASE_URL is no PostgreSQL URL",
            hint="for instance postgresql://user:password@host:5432/zhongtai, with % and @ in a"
            " password written as %25 and %40",
        ) from None
    return configured


@contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    """A connection to the zhongtai database with the schema up to date; commits on success.

    It acts as the role of the settings. Raises ConfigurationError where there is no such database,
    or where who logs in may not act so.
    """
    try:
        connection = psycopg.connect(
            database_url(settings),
            autocommit=autocommit,
            fallback_application_name=describe_process(),
        )
    except psycopg.OperationalError as error:
        raise ConfigurationError(
            f"PostgreSQL cannot be reached: {error}",
            hint="check ZHONGTAI_DATABASE_URL, or leave it empty for the embedded server",
        ) from error
    with connection:
        connection.execute("set timezone to 'UTC'")
        connection.execute(_KEEP_ALIVE)
        migrate(connection)
        if settings.role:
            act_as(connection, settings.role)
            if not autocommit:
                connection.commit()
        yield connection


def describe_process(what: str = "") -> str:
    """The name of this process, for people; within the 63 bytes of the name of a session."""
    name = f"zhongtai {what}".strip()
    return f"{name} (process {os.getpid()} on {socket.gethostname()[:16]})"


def name_session(connection: psycopg.Connection, what: str) -> None:
    """Let whoever waits for this session see what it does, and in which process."""
    connection.execute("select set_config('application_name', %s, false)", [describe_process(what)])


def migrate(connection: psycopg.Connection) -> None:
    """Apply the migrations that this database has not seen, each once, in name order.

    The rights of the roles follow after any of them, and when they changed.
    """
    files = sorted(
        (
            entry
            for entry in resources.files("zhongtai.migrations").iterdir()
            if entry.name.endswith(".sql")
        ),
        key=lambda entry: entry.name,
    )
    rights = f"rights-{hashlib.sha256(read_rights().encode()).hexdigest()[:16]}"
    exists = connection.execute("select to_regclass('public.zhongtai_migrations')").fetchone()
    if exists and exists[0]:
        applied = {r[0] for r in connection.execute("select name from public.zhongtai_migrations")}
        if applied.issuperset([rights, *(entry.name for entry in files)]):
            if not connection.autocommit:
                connection.commit()
            return
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('zhongtai.migrate'))")
        connection.execute(
            "create table if not exists public.zhongtai_migrations"
            " (name text primary key, applied_at timestamptz not null default now())"
        )
        applied = {r[0] for r in connection.execute("select name from public.zhongtai_migrations")}
        for entry in files:
            if entry.name not in applied:
                connection.execute(entry.read_text("utf-8").encode())
                _note(connection, entry.name)
        create_roles(connection)
        grant_rights(connection)
        _note(connection, rights)
    if not connection.autocommit:
        connection.commit()


def _note(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        "insert into public.zhongtai_migrations (name) values (%s) on conflict do nothing", [name]
    )
