"""Compare what a home has published with the truth that the generator wrote beside the exports."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from zhongtai.cli.server import server_on_demand
from zhongtai.database import connect
from zhongtai.publish import arrival
from zhongtai.settings import load_settings

PROGRAM = Path(sys.executable).parent / "zhongtai"

# The name of a person depends on when it was first met, so persons are compared by their records.
ONE_IDS = {"one_id", "related_one_id"}
# A family stands once, its smaller id first: which of two persons that is depends on their names.
UNORDERED = (
    "select * replace ("
    "if(relationship = 'referrer', one_id, least(one_id, related_one_id)) as one_id,"
    " if(relationship = 'referrer', related_one_id, greatest(one_id, related_one_id))"
    " as related_one_id) from ({pairs})"
)


# What may move between equal files, or rows that two files have, stays the same in sum.
SUMS = {
    "statuses and rows of equal files": (
        "select source, entity, sha256, status, count(*), sum(rows_in), sum(rows_quarantined),"
        " sum(rows_loaded + rows_duplicate) from metrics.meta_ledger group by all"
    ),
    "rows of an entity": (
        "select source, entity, sum(rows_loaded), sum(rows_duplicate) from metrics.meta_ledger"
        " group by all"
    ),
    "quarantined rows of equal files": (
        "select source, entity, sha256, level, rule, q.reason, sum(q.rows), sum(rows_replayed)"
        " from metrics.meta_quarantine_daily as q join metrics.meta_ledger using (source, entity,"
        " file) group by all"
    ),
}


@dataclass(frozen=True)
class World:
    """Generated exports: `landing` and `truth` below `folder`, `as_of` as the truth has it."""

    folder: Path
    as_of: str

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def truth(self, name: str) -> str:
        """A Parquet file of the truth, as DuckDB reads it."""
        return f"read_parquet('{self.folder / 'truth' / name}.parquet')"


@dataclass(frozen=True)
class Home:
    """A home folder that the command line works on."""

    folder: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the program on this home, as a user would."""
        return command(*arguments, "--home", self.folder)

    def run_all(self, landing: Path, as_of: str) -> subprocess.CompletedProcess[str]:
        return self.run("run", "--landing", landing, "--as-of", as_of)

    def current(self, store: str = "metrics") -> Path:
        """The snapshot file that readers of a store see."""
        return (self.folder / "published" / store / "current.duckdb").resolve()

    def snapshots(self) -> set[str]:
        """What each store of files calls current."""
        manifest = self.folder / "published" / "parquet" / "current" / "manifest.json"
        told = json.loads(manifest.read_text("utf-8"))["snapshot_id"]
        return {self.current().stem, self.current("profiles").stem, told}

    @contextmanager
    def open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Both current files, attached as `metrics` and `profiles`."""
        with duckdb.connect() as connection:
            for store in ("metrics", "profiles"):
                connection.execute(f"attach '{self.current(store)}' as {store} (read_only)")
            yield connection

    @contextmanager
    def postgres(self) -> Iterator[psycopg.Connection]:
        settings = load_settings(home=self.folder)
        with server_on_demand(settings), connect(settings) as connection:
            yield connection


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, without settings of whoever runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZHONGTAI_")}
    # the truth is of everybody, also of whom requests mean
    environment["ZHONGTAI_ERASE_ON_REQUEST"] = "false"
    return subprocess.run(
        [PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def generate_world(folder: Path, people: int, days: int, seed: int) -> World:
    made = command(
        *("generate", "exports", "--out", folder, "--people", str(people)),
        *("--days", str(days), "--seed", str(seed)),
    )
    assert made.returncode == 0, made.stderr
    summary = json.loads((folder / "truth" / "summary.json").read_text("utf-8"))
    return World(folder, summary["as_of"])


@contextmanager
def temporary_home() -> Iterator[Home]:
    """A home with a short path: PostgreSQL's socket must fit into 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="zt-truth-", dir="/tmp"))
    try:
        yield Home(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query).fetchall()


def differences(
    connection: duckdb.DuckDBPyConnection, wanted: str, found: str
) -> list[tuple[object, ...]]:
    """Rows (each as often as it is missing) of one query that the other has not."""
    return rows(
        connection,
        f"select 'missing', * from (({wanted}) except all ({found}))"
        f" union all select 'too much', * from (({found}) except all ({wanted}))",
    )


def tables_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, list[str]]:
    """Columns by table of an attached file."""
    found: dict[str, list[str]] = defaultdict(list)
    for table, column in rows(
        connection,
        "select table_name, column_name from duckdb_columns()"
        f" where database_name = '{catalog}' and not internal order by table_name, column_index",
    ):
        found[str(table)].append(str(column))
    return found


# --- personal values -------------------------------------------------------------------------


def hashed(values: Iterable[str]) -> list[str]:
    """The digests by which somebody might think a value hidden, as hexadecimal text."""
    functions = (hashlib.md5, hashlib.sha1, hashlib.sha256)
    return [f(value.encode()).hexdigest() for value in values for f in functions]


def dump_relations(connection: duckdb.DuckDBPyConnection, relations: Sequence[str]) -> bytes:
    """Every cell of the relations as text: files hold strings compressed, so bytes hide them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.csv"
        content = []
        for relation in relations:
            connection.execute(f"copy (from {relation}) to '{file}' (format csv)")
            content.append(file.read_bytes())
    return b"\n".join(content)


def dump_postgres(connection: psycopg.Connection, schema: str) -> dict[str, bytes]:
    """Every view and table of a schema as text, by name."""
    names = connection.execute(
        "select table_name from information_schema.tables where table_schema = %s", [schema]
    ).fetchall()
    found = {}
    with connection.cursor() as cursor:
        for (name,) in names:
            query = sql.SQL("copy (select * from {}) to stdout").format(
                sql.Identifier(schema, name)
            )
            with cursor.copy(query) as copy:
                found[name] = b"".join(bytes(block) for block in copy)
    return found


# --- deliveries in another order --------------------------------------------------------------


def delivery_units(landing: Path) -> list[list[Path]]:
    """Files that must arrive together: a manifest with its folder, a marker with its file."""
    units: dict[str, list[Path]] = defaultdict(list)
    files = sorted(path for path in landing.rglob("*") if path.is_file())
    listed = {path.parent for path in files if path.name.endswith(".manifest.json")}
    for path in files:
        unit = path.parent if path.parent in listed else path.with_name(path.name.split(".")[0])
        units[str(unit)].append(path)
    return list(units.values())


def split_delivery(landing: Path, batches: int, seed: int) -> list[list[Path]]:
    """The files of a landing folder in several batches, in an order drawn by the seed."""
    units = delivery_units(landing)
    random.Random(seed).shuffle(units)  # noqa: S311  # an order, not a secret
    return [[path for unit in units[n::batches] for path in unit] for n in range(batches)]


def deliver(files: Iterable[Path], landing: Path, target: Path) -> None:
    """Copy files, with their times, to the same place below another landing folder."""
    for path in files:
        there = target / path.relative_to(landing)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, there)


# --- content, whatever the ids and the runs are called -----------------------------------------


def write_content(columns: list[str], table: str) -> str:
    """A query of a table without what tells of arrival, persons named by their smallest record.

    Empty for a table of what happened.
    """
    shown = [
        f"(select record from persons where persons.one_id = t.{name}) as {name}"
        if name in ONE_IDS
        else f't."{name}"'
        for name in columns
        if arrival.is_content(table, name)
    ]
    return f"select {', '.join(shown)} from {table} as t" if shown else ""


def content_of(home: Home) -> dict[str, dict[str, int]]:
    """Rows of each published table, as text and with how often they occur.

    Without what `arrival` declares; but what only moves between equal files and rows must add up.
    """
    found: dict[str, dict[str, int]] = {}
    with home.open() as connection:
        connection.execute(
            "create temp table persons as select one_id,"
            " min(source || ':' || entity || ':' || record_key) as record"
            " from profiles.bridge_user_records group by one_id"
        )
        for store in ("metrics", "profiles"):
            for table, columns in tables_of(connection, store).items():
                query = write_content(columns, f"{store}.{table}")
                if table == "bridge_user_relationships":
                    query = UNORDERED.format(pairs=query)
                if query:
                    found[f"{store}.{table}"] = count_rows(connection, query)
        for name, query in SUMS.items():
            found[name] = count_rows(connection, query)
    return found


def count_rows(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    """The rows of a query as text, each with how often it occurs."""
    counted = rows(
        connection, f"select cast(r as varchar), count(*) from ({query}) as r group by all"
    )
    return {str(row): int(str(n)) for row, n in counted}


def content_hashes(content: dict[str, dict[str, int]]) -> dict[str, str]:
    """One hash per table, of its rows in order."""
    return {
        table: hashlib.sha256(repr(sorted(counted.items())).encode()).hexdigest()
        for table, counted in content.items()
    }


def tell_differences(
    one: dict[str, dict[str, int]], other: dict[str, dict[str, int]], shown: int = 3
) -> str:
    """The tables whose rows differ, with the first few rows of each side."""
    told = []
    for table in sorted(one.keys() | other.keys()):
        left, right = one.get(table, {}).items(), other.get(table, {}).items()
        if left != right:
            only_left, only_right = sorted(left - right), sorted(right - left)
            told.append(f"{table}: {len(only_left)} and {len(only_right)} rows of their own")
            told += [f"  < {row}" for row in only_left[:shown]]
            told += [f"  > {row}" for row in only_right[:shown]]
    return "\n".join(told)
