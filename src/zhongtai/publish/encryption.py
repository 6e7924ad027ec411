"""Profiles encrypted at rest, where a key is set: the DuckDB files and the Parquet of that store.

Such files open in DuckDB from 1.4 on. DuckDB encrypts by AES-256 in GCM mode; to write it needs a
random generator that its extension httpfs brings along, and nothing is ever written without.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.errors import ConfigurationError
from zhongtai.publish.content import literal
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The one store with personal data.
ENCRYPTED_STORE = "profiles"
# Files of the first version open in every DuckDB from 1.2 on, of the second from 1.4 on.
PLAIN_VERSION, ENCRYPTED_VERSION = "v1.2.0", "v1.4.0"
_PARQUET_KEY = "zhongtai_profiles"
# Of a DuckDB file: 8 bytes of checksum, the magic word, 8 bytes of version, then flags.
_MAGIC, _MAGIC_AT, _FLAGS_AT = b"DUCK", 8, 20


def is_encrypted(file: Path) -> bool:
    """Whether a DuckDB file says in its header that it is encrypted."""
    with file.open("rb") as stream:
        head = stream.read(_FLAGS_AT + 1)
    return head[_MAGIC_AT:].startswith(_MAGIC) and len(head) > _FLAGS_AT and bool(head[-1] & 1)


def attach(engine: "DuckDBPyConnection", settings: Settings, file: Path, name: str) -> None:
    """Attach a published file read-only. Raises ConfigurationError where its key is not ours."""
    options = ["read_only"]
    if is_encrypted(file):
        options.append(f"encryption_key {literal(_require_key(settings, file))}")
    _attach(engine, file, name, options)


def create(
    engine: "DuckDBPyConnection", settings: Settings, store: str, file: Path, name: str
) -> None:
    """Attach a new file of a store for writing, encrypted where that store is.

    Raises ConfigurationError where DuckDB cannot encrypt.
    """
    key = settings.profiles_key.get_secret_value() if store == ENCRYPTED_STORE else ""
    version = ENCRYPTED_VERSION if key else PLAIN_VERSION
    options = [f"storage_version {literal(version)}"]
    if key:
        ready_cryptography(engine)
        options.append(f"encryption_key {literal(key)}")
    _attach(engine, file, name, options)


def _attach(engine: "DuckDBPyConnection", file: Path, name: str, options: list[str]) -> None:
    import duckdb

    try:
        engine.execute(f"attach {literal(str(file))} as {name} ({', '.join(options)})")
    except duckdb.InvalidInputException as error:
        if "encryption key" not in str(error):
            raise
        # the error is dropped: whatever tells of the statement would tell the key
        raise ConfigurationError(
            f"{file.name} was encrypted with another key than ZHONGTAI_PROFILES_KEY",
            hint="set the key that it was published with",
        ) from None


@contextmanager
def open_published(settings: Settings, file: Path) -> "Iterator[DuckDBPyConnection]":
    """A connection that reads a published file, whose tables need no prefix; times in UTC."""
    import duckdb

    # left to itself DuckDB spills persons into the folder that somebody works in
    with duckdb.connect(config={"temp_directory": str(settings.path("tmp"))}) as connection:
        connection.execute("set timezone = 'UTC'")
        attach(connection, settings, file.resolve(), "published")
        connection.execute("use published")
        yield connection


def ready_cryptography(engine: "DuckDBPyConnection") -> None:
    """Let DuckDB encrypt what it writes. Raises ConfigurationError where it cannot do so safely."""
    import duckdb

    try:
        engine.execute("load httpfs")
    except duckdb.Error as error:
        raise ConfigurationError(
            "ZHONGTAI_PROFILES_KEY is set, and DuckDB has nothing to encrypt with: its extension"
            " httpfs is not installed",
            hint=f"run `install httpfs` once, in DuckDB {duckdb.__version__} as this user, where"
            " extensions can be downloaded; or empty the setting and encrypt the disk",
        ) from error


def parquet_options(engine: "DuckDBPyConnection", settings: Settings, store: str) -> str:
    """What `copy … (format parquet` has to say besides for a store."""
    key = settings.profiles_key.get_secret_value() if store == ENCRYPTED_STORE else ""
    if not key:
        return ""
    ready_cryptography(engine)
    drawn = base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()
    engine.execute(f"pragma add_parquet_key({literal(_PARQUET_KEY)}, {literal(drawn)})")
    return f", encryption_config {{footer_key: {literal(_PARQUET_KEY)}}}"


def _require_key(settings: Settings, file: Path) -> str:
    key = settings.profiles_key.get_secret_value()
    if not key:
        raise ConfigurationError(
            f"{file.name} is encrypted, and ZHONGTAI_PROFILES_KEY is empty",
            hint="set the key that it was published with",
        )
    return key
