"""The product as the simulation drives it: real steps over one home and one database."""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from simulated_crashes import NEVER, Ended, run_and_kill
from simulated_ledger import Line, Mark

from zhongtai.contracts import Contract, Contracts
from zhongtai.erasure.erasures import Person, erase_person
from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.naming import ANYTHING
from zhongtai.erasure.sweep import complete_erasures
from zhongtai.ingest import drain
from zhongtai.ingest.rules import quoted, record_key_expression
from zhongtai.ledger import loaded_parts
from zhongtai.quarantine import replay
from zhongtai.runs import Run, finish_run, start_run
from zhongtai.settings import Settings

# what the product adds to a row and what differs from one run to another
_METADATA = ("_delivery_id", "_row_number", "_raw", "_key_hash")
_NAME = re.compile(r"/(zhongtai_\w+)")
_SCHEMAS = ("ledger", "erasure")


def clear_database(url: str) -> None:
    """Empty every table that is filled without publishing: cheaper than another database."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "select format('delete from %%I.%%I', schemaname, tablename) from pg_tables"
            " where schemaname = any(%s)",
            [list(_SCHEMAS)],
        ).fetchall()
        # neither references nor the rule that decisions are kept matter when all goes
        connection.execute("set session_replication_role = replica")
        connection.execute("; ".join(row[0] for row in tables))


@contextmanager
def another_database(url: str) -> Iterator[str]:
    """The URL of a copy of a database, for as long as the block runs."""
    server, name = url.replace(f"/{_NAME.findall(url)[0]}", "/postgres"), "zhongtai_published"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {_NAME.findall(url)[0]}")
    try:
        yield url.replace(f"/{_NAME.findall(url)[0]}", f"/{name}")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


@dataclass
class Product:
    """The steps of the product over one home; `contracts` are those of the moment."""

    settings: Settings
    contracts: Contracts
    kills: Counter[str] = field(default_factory=Counter)
    _owner: int = 0

    def drain(self, as_of: datetime, source: str | None = None, *, kill_at: int = 0) -> None:
        """Take in what is complete; with `kill_at` a process dies over it first."""

        def work() -> None:
            with self.run("ingest", as_of) as (_, run):
                drain(self.settings, self.contracts, run, source=source)

        self.do(work, kill_at)

    def replay(self, as_of: datetime, *, kill_at: int = 0) -> None:
        """Judge again what is set aside."""

        def work() -> None:
            with self.run("replay", as_of) as (_, run):
                replay(self.settings, self.contracts, run)

        self.do(work, kill_at)

    def erase(self, as_of: datetime, values: set[tuple[str, str]], *, kill_at: int = 0) -> None:
        """Erase whom these kinds and values name."""
        anything = {(ANYTHING, v) for _, v in values if len(v) >= 6 and "|" not in v}
        called = sorted(values | anything)
        table = pa.table(
            {"kind": [kind for kind, _ in called], "value": [value for _, value in called]},
            WANTED_SCHEMA,
        )
        person = Person("u_of_the_simulation", table)

        def work() -> None:
            with self.run("erase", as_of) as (connection, run):
                complete_erasures(self.settings, self.contracts, connection, run.run_id, _say)
                erase_person(
                    self.settings, self.contracts, connection, run, person,
                    author="simulation", because="asked", progress=_say,
                )  # fmt: skip

        self.do(work, kill_at)

    def do(self, work: Callable[[], object], kill_at: int, *, apart: bool = False) -> None:
        """Do a step; with `kill_at` another process was killed over it before.

        `apart`: in a child too. dbt leaves threads behind, and a process with threads cannot fork.
        """
        for at in (kill_at, NEVER if apart else 0):
            ended = run_and_kill(work, at) if at else Ended()
            if ended.failure:
                raise AssertionError(f"a step failed by itself: {ended.failure}")
            if ended.killed_at:
                self.kills[ended.killed_at] += 1
        if not apart:
            work()

    @property
    def connection(self) -> psycopg.Connection:
        """The connection of this process, which autocommits."""
        if self._owner != os.getpid():
            url = self.settings.database_url.get_secret_value()
            self._connection, self._owner = psycopg.connect(url, autocommit=True), os.getpid()
            self._connection.execute("set timezone to 'UTC'")
        return self._connection

    def close(self) -> None:
        """Let go of the database and delete everything below the home."""
        self.connection.close()
        self._owner = 0
        shutil.rmtree(self.settings.home, ignore_errors=True)

    @contextmanager
    def run(self, command: str, as_of: datetime) -> Iterator[tuple[psycopg.Connection, Run]]:
        """A recorded run and the connection, which autocommits."""
        run = start_run(self.connection, command, as_of)
        yield self.connection, run
        finish_run(self.connection, run, "done")

    def lines(self) -> Counter[Line]:
        """The whole ledger."""
        found = self.connection.execute(
            "select file, sha256, status, rows_in, rows_loaded, rows_quarantined,"
            " rows_duplicate, rows_suppressed from ledger.deliveries"
        )
        return Counter(found.fetchall())

    def raw_rows(self) -> Counter[tuple[str, str, str]]:
        """Entity, key and version of every row of every part that counts, repeated or not."""
        return Counter(
            row
            for contract, files in self.parts()
            for row in duckdb.execute(
                f"select '{contract.name}', {record_key_expression(contract)},"
                f" coalesce({quoted(contract.version) if contract.version else 'null'}, '')"
                " from read_parquet(?, union_by_name = true)",
                [files],
            ).fetchall()
        )

    def content_hash(self) -> str:
        """Of all that was delivered and counts, whichever parts it stands in."""
        digest = hashlib.sha256()
        for contract, files in self.parts():
            read = "read_parquet($files, union_by_name = true)"
            described = duckdb.execute(f"describe select * from {read}", {"files": files})
            held = {row[0] for row in described.fetchall()} - set(_METADATA)
            cells = ", ".join(quoted(name) for name in sorted(held))
            rows = duckdb.execute(
                f"select {cells} from {read} order by all", {"files": files}
            ).fetchall()
            digest.update(f"{contract.name} {rows!r}".encode())
        return digest.hexdigest()

    def parts(self) -> list[tuple[Contract, list[str]]]:
        """By contract the files of the raw zone that count."""
        parts = [
            (contract, loaded_parts(self.connection, contract))
            for contract in self.contracts.values()
        ]
        lake = Path(self.settings.lake_url)
        return [(contract, [str(lake / p) for p in found]) for contract, found in parts if found]


def _say(_: str) -> None:
    """Progress that nobody watches."""


def marks_as_values(marks: set[Mark]) -> set[tuple[str, str]]:
    """Records as erasure names them."""
    return {(f"record:{entity}", key) for entity, key in marks}
