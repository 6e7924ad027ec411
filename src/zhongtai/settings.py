"""Every setting, from the environment (`ZHONGTAI_*`). No other module reads the environment."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import psutil
from pydantic import (
    Field,
    PositiveInt,
    PrivateAttr,
    SecretStr,
    ValidationError,
    computed_field,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from zhongtai.addresses import holds_secret, masked
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# A key that every reader can write into its SQL as it is.
_KEY = re.compile(r"[!#-&(-\[\]-~]{16,}")
# As DuckDB reads it.
_SIZE = re.compile(r"\d+(\.\d+)? ?([KMGT]i?)?B", re.IGNORECASE)
# DuckDB opens these by their protocol alone; the rest of the URL is a bucket and a folder.
_NO_STORES = re.compile("(?:sftp|ssh|s?ftps?|smb|https?)://|::", re.IGNORECASE)


def _default_memory_limit() -> str:
    """Half of the machine, at most the 8 GB of the performance budgets."""
    return f"{min(8192, psutil.virtual_memory().total // 2**21)}MB"


def _absolute(place: str) -> str:
    """A folder, whichever folder a process works in; a URL as it is."""
    is_folder = place and "://" not in place and "::" not in place
    return str(Path(place).absolute()) if is_folder else place


class Settings(BaseSettings):
    """Where things live and how much of the machine they may use."""

    # pydantic's own errors would quote a secret that is wrong
    # a variable that is empty, as many in .env.example, says nothing
    model_config = SettingsConfigDict(
        env_prefix="ZHONGTAI_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    home: Path = Field(Path(".zhongtai"), description="Folder for everything zhongtai keeps")
    # not shown where settings are printed: the URL may hold a password
    landing: str = Field(
        "", repr=False, description="fsspec URL of the landing zone; empty: <home>/landing"
    )
    lake: str = Field(
        "", description="Folder or object store (s3://…) of the raw zone; empty: <home>/lake"
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL URL; empty: an embedded server under <home>/postgres"
    )
    project_dir: Path = Field(
        Path(__file__).resolve().parents[2],
        description="Folder that holds dbt_project/, expectations/ and seeds/",
    )
    memory_limit: str = Field(
        default_factory=_default_memory_limit, description="Memory that DuckDB may use"
    )
    threads: PositiveInt = Field(
        default_factory=lambda: os.cpu_count() or 1, description="Threads that DuckDB may use"
    )
    cache: str = Field(
        "",
        description="Folder of what all homes share and can be made anew; empty: the user's cache",
    )
    archive: bool = Field(
        False, description="Move a landed file to <home>/archive once its ledger row is final"
    )
    erase_on_request: bool = Field(
        True, description="Erase whom crm/erasure_requests mean in the next run; else they wait"
    )
    incremental_tags: bool = Field(
        True, description="Compute tags anew only of persons of whom something changed"
    )
    enforce_retention: bool = Field(
        False, description="Let rows past their retention go in every run; else by command only"
    )
    profiles_key: SecretStr = Field(
        SecretStr(""), description="Key that encrypts published profiles; empty: not encrypted"
    )
    keep_snapshots: PositiveInt = Field(3, description="Published snapshots kept for rollback")
    keep_history_days: PositiveInt = Field(
        90, description="How long logs and what the ledger tells of models and idle runs are kept"
    )
    stable_seconds: int | None = Field(
        None, ge=0, description="Overrides how long a file of a 'stable' entity must be unchanged"
    )
    poll_seconds: float = Field(1.0, gt=0, description="How often the landing watcher looks")
    sweep_minutes: PositiveInt = Field(5, description="How often a DAG looks without an event")
    airflow_port: int = Field(8080, ge=1, le=65535, description="Port of the Airflow pages")
    airflow_password: SecretStr = Field(
        SecretStr(""), description="Password of Airflow's user admin; empty: drawn once, kept"
    )
    crash_at: str = Field(
        "", description="For tests: kill this process at the n-th passing of a point, as NAME:N"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="What commands tell beside results; with DEBUG tracebacks as well"
    )

    @computed_field(repr=False)  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def landing_url(self) -> str:
        """The landing zone as an fsspec URL or absolute path."""
        return _absolute(self.landing) or str(self.path("landing"))

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def lake_url(self) -> str:
        """The raw zone as an fsspec URL or absolute path."""
        return _absolute(self.lake) or str(self.path("lake"))

    @field_validator("lake")
    @classmethod
    def _require_store_without_secret(cls, url: str) -> str:
        # it stands in the views of the working file, and in what DuckDB says of parts
        if holds_secret(url):
            raise ValueError(
                "expected no user, password or query: credentials come from where the library of"
                " the store looks for them"
            )
        if _NO_STORES.search(url):
            raise ValueError("expected a folder or an object store, for instance s3://bucket/lake")
        return url

    @property
    def cache_dir(self) -> Path:
        """Where what all homes share is kept: below <home> for a user who has no folder."""
        if self.cache:
            return Path(self.cache).absolute()
        try:
            folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError:
            folder = self.path("cache")
        return folder / "zhongtai"

    @field_validator("profiles_key")
    @classmethod
    def _require_plain_key(cls, key: SecretStr) -> SecretStr:
        # DuckDB reads escapes in a key, and quotes a key that it cannot read
        if key.get_secret_value() and not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError(
                "expected at least 16 printable ASCII characters without quotes and backslashes"
            )
        return key

    @field_validator("log_level", mode="before")
    @classmethod
    def _read_level(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @field_validator("memory_limit")
    @classmethod
    def _require_size(cls, limit: str) -> str:
        # DuckDB would say so in the middle of a run
        if not _SIZE.fullmatch(limit):
            raise ValueError("expected a size like 800MB, 8GB or 6GiB")
        return limit

    # no setting: the steps choose it
    _role: str = PrivateAttr("")

    @property
    def role(self) -> str:
        """The PostgreSQL role that connections act as; empty: who logs in."""
        return self._role

    def acting_as(self, role: str) -> Self:
        """The same settings for work that a role of PostgreSQL may do (see `access`)."""
        copy = self.model_copy()
        copy._role = role
        return copy

    def path(self, *parts: str) -> Path:
        """An absolute path below the home folder."""
        return self.home.absolute().joinpath(*parts)

    @property
    def warehouse_file(self) -> Path:
        """The working DuckDB file: one writer, no readers, disposable."""
        return self.path("warehouse", "build.duckdb")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with explicit values (from a command line) on top.

    Raises ConfigurationError that names each wrong variable.
    """
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]  # pydantic validates
    except ValidationError as error:
        wrong = "; ".join(
            f"ZHONGTAI_{str(e['loc'][0]).upper()}={_tell(e)}: {e['msg']}" for e in error.errors()
        )
        raise ConfigurationError(wrong, hint="see .env.example for each setting") from None


def _tell(error: "ErrorDetails") -> str:
    """The wrong value, but of a secret."""
    kind = Settings.model_fields[str(error["loc"][0])].annotation
    return "…" if kind is SecretStr else masked(repr(error["input"]))


def subprocess_environment(**additions: str) -> dict[str, str]:
    """The environment for a child process: ours plus `additions`."""
    return {**os.environ, **additions}


@contextmanager
def temporary_environment(**values: str) -> Iterator[None]:
    """Set variables of this process for a library that reads them; they are put back after."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
