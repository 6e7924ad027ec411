"""Fixtures that every test may use: a throw-away home and one PostgreSQL server a session."""

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from zhongtai.contracts import Contract, Contracts, load_contracts
from zhongtai.database import connect, embedded_server_url, migrate, stop_embedded_server
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[1]
_TEMPLATE = "zhongtai_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a database with the schema up to date, in a server that this session owns."""
    # a short path: PostgreSQL's socket must fit into 107 characters
    home = Path(tempfile.mkdtemp(prefix="zt-", dir="/tmp"))
    settings = load_settings(home=home)
    url = embedded_server_url(settings, _TEMPLATE)
    with psycopg.connect(url) as connection:
        migrate(connection)
    try:
        yield url
    finally:
        stop_embedded_server(settings)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty, migrated database of this test alone."""
    name = f"zhongtai_test_{next(_numbers)}"
    server = postgres_server.replace(f"/{_TEMPLATE}", "/postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {_TEMPLATE}")
    yield postgres_server.replace(f"/{_TEMPLATE}", f"/{name}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings with a home of this test alone; files of 'stable' entities count at once."""
    return load_settings(
        home=tmp_path / "home", database_url=database_url, stable_seconds=0, threads=2
    )


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    """The contracts of the repository."""
    return load_contracts(PROJECT)


@pytest.fixture
def run(settings: Settings) -> Run:
    """A recorded run with a real clock."""
    with connect(settings) as connection:
        return start_run(connection, "test")


@dataclass(frozen=True)
class Landing:
    """Delivers files as the sources do, with whatever makes them complete."""

    root: Path
    contracts: Contracts

    def deliver(
        self,
        entity: str,
        rows: Sequence[Mapping[str, object]] | bytes,
        name: str = "",
        *,
        exported_at: str = "2026-03-05T12:00:00+08:00",
    ) -> Path:
        """Write rows (or bytes as they are) to `<source>/<entity>/<name>` and complete the file."""
        contract = self.contracts[entity]
        suffix = {"jsonl": "jsonl", "csv": "csv", "adf": "xml", "xlsx": "xlsx"}[contract.format]
        content = rows if isinstance(rows, bytes) else self.content(contract, rows)
        file = self.root / contract.source / contract.entity / (name or f"data.{suffix}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if contract.completion == "done":
            file.with_name(f"{file.name}.done").touch()
        elif contract.completion == "manifest":
            self.name_in_manifest(file, exported_at=exported_at)
        return file

    def content(self, contract: Contract, rows: Sequence[Mapping[str, object]]) -> bytes:
        """The bytes of a JSON Lines or CSV file in the first encoding of the contract."""
        if contract.format == "jsonl":
            return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
        text = io.StringIO()
        writer = csv.DictWriter(text, [c.delivered for c in contract.columns])
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode(contract.encodings[0])

    def name_in_manifest(
        self, file: Path, *, exported_at: str = "2026-03-05T12:00:00+08:00", **wrong: object
    ) -> Path:
        """A manifest beside the file that names it alone; `wrong` replaces what is true."""
        content = file.read_bytes()
        entry = {
            "name": file.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        manifest = file.with_name(f"{file.name}.{exported_at[:19]}.manifest.json")
        source, entity = file.relative_to(self.root).parts[:2]
        manifest.write_text(
            json.dumps(
                {
                    "source": source,
                    "entity": entity,
                    "exported_at": exported_at,
                    "files": [{**entry, **wrong}],
                }
            )
        )
        return manifest


@pytest.fixture
def landing(settings: Settings, contracts: Contracts) -> Landing:
    """The landing zone of this test's home."""
    return Landing(Path(settings.landing_url), contracts)
