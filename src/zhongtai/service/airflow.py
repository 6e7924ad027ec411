"""How Airflow is configured here: by environment variables alone, no airflow.cfg."""

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from zhongtai.database import create_database, database_url
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.service.secrets import load_secrets, write_airflow_users
from zhongtai.settings import Settings, subprocess_environment

POOL = "warehouse_writer"
PORTS_TRIED = 20


@dataclass(frozen=True)
class AirflowAddress:
    """Where the Airflow pages are and who may log in."""

    url: str
    user: str
    password: str


def choose_port(settings: Settings) -> int:
    """The configured port, or the next one that nobody listens on.

    Raises ConfigurationError when none of the next ports is free.
    """
    ports = range(settings.airflow_port, min(settings.airflow_port + PORTS_TRIED, 65536))
    for port in ports:
        if is_free(port):
            return port
    raise ConfigurationError(
        f"none of the ports {ports[0]} to {ports[-1]} can be opened",
        hint="set ZHONGTAI_AIRFLOW_PORT to a free one",
    )


def is_free(port: int) -> bool:
    """Whether a server of ours could listen on this port of this machine now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _sqlalchemy_url(settings: Settings) -> str:
    if settings.database_url.get_secret_value():
        url = settings.database_url.get_secret_value()
        base, _, query = url.partition("?")
        create_database(settings, "airflow")
        url = f"{base.rsplit('/', 1)[0]}/airflow" + (f"?{query}" if query else "")
    else:
        url = database_url(settings, "airflow")
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def airflow_environment(settings: Settings, port: int) -> dict[str, str]:
    """The whole environment of an Airflow component that serves on `port` of this machine."""
    keys = load_secrets(settings)
    home, dags = settings.path("airflow"), settings.project_dir.absolute() / "dags"
    url = f"http://127.0.0.1:{port}"
    # most of a task is waiting for imports and the API, so more of them than cores
    workers = 2 * max(2, settings.threads)
    airflow = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__PLUGINS_FOLDER": str(dags / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": str(workers),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": str(workers),
        "CORE__FERNET_KEY": keys["fernet_key"],
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(write_airflow_users(settings)),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "DATABASE__SQL_ALCHEMY_CONN": _sqlalchemy_url(settings),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": keys["api_secret_key"],
        "API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "USAGE_DATA_COLLECTION__ENABLED": "False",
        "LOGGING__BASE_LOG_FOLDER": str(settings.path("logs", "airflow")),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "SCHEDULER__PARSING_PROCESSES": "1",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    }
    return subprocess_environment(
        AIRFLOW_HOME=str(home),
        PYTHONWARNINGS="ignore",
        **{f"AIRFLOW__{name}": value for name, value in airflow.items()},
        **_our_environment(settings),
    )


def _our_environment(settings: Settings) -> dict[str, str]:
    """The settings as a child process must see them: absolute, whatever its folder."""
    given = {
        "HOME": settings.home.absolute(),
        "LANDING": settings.landing_url,
        "LAKE": settings.lake_url,
        "PROJECT_DIR": settings.project_dir.absolute(),
        "CACHE": Path(settings.cache).absolute() if settings.cache else None,
        "MEMORY_LIMIT": settings.memory_limit,
        "THREADS": settings.threads,
        "ARCHIVE": settings.archive,
        "POLL_SECONDS": settings.poll_seconds,
        "SWEEP_MINUTES": settings.sweep_minutes,
        "KEEP_SNAPSHOTS": settings.keep_snapshots,
        "KEEP_HISTORY_DAYS": settings.keep_history_days,
        "STABLE_SECONDS": settings.stable_seconds,
    }
    return {f"ZHONGTAI_{name}": str(value) for name, value in given.items() if value is not None}


def run_airflow(environment: dict[str, str], *arguments: str) -> None:
    """Run one `airflow` command to its end. Raises ZhongtaiError with the end of its output."""
    result = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        tail = (result.stdout + result.stderr)[-2000:]
        raise ZhongtaiError(
            f"airflow {' '.join(arguments)} failed:\n{tail}",
            hint="mend what it names and start again; its log lies in <home>/logs/airflow",
        )


def prepare_airflow(settings: Settings, port: int) -> dict[str, str]:
    """Bring Airflow's own tables and the writer pool up to date; returns the environment."""
    settings.path("airflow").mkdir(parents=True, exist_ok=True)
    environment = airflow_environment(settings, port)
    _migrate(environment)
    return environment


def _migrate(environment: dict[str, str]) -> None:
    run_airflow(environment, "db", "migrate")
    run_airflow(environment, "pools", "set", POOL, "1", "One process writes the working file")


def migrate_airflow(settings: Settings) -> None:
    """Bring the Airflow that the environment already configures up to date, as in a container.

    The database `airflow` is created if it is missing, and the file with Airflow's users written.
    """
    create_database(settings, "airflow")
    write_airflow_users(settings)
    _migrate(subprocess_environment())
