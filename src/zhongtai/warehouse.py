"""The working DuckDB file: one writer, no readers, disposable; what dbt finds in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa

from zhongtai import seed_state, staging_state
from zhongtai.contracts import Contract, Contracts
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.ingest.parts import Lake, find_lost
from zhongtai.runs import Run
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What a raw part holds beside the columns of its contract.
_PART_METADATA = {
    "_extra": "varchar",
    "_row_number": "bigint",
    "_raw": "varchar",
    "_key_hash": "bigint",
    "_delivery_id": "varchar",
}
_MIRRORED = (
    "deliveries",
    "parts",
    "quarantine",
    "runs",
    "snapshots",
    "gate_results",
    "gate_measures",
)
_NEXT_SNAPSHOT = "snapshot_id varchar, run_id varchar, as_of timestamp, created_at timestamp"
# Sorts deliveries: by the source's own export time, then path, then arrival. Bytes that came more
# than once count as their first delivery by that order, whichever of them arrived first.
_ORDERED_DELIVERIES = """
select *, min(concat_ws(
    e'\\x01', coalesce(to_char(exported_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), ''),
    file_order, '', file, lpad(sequence::text, 19, '0')
) collate "C") over (
    partition by source, entity, case when status = 'quarantined' then delivery_id else sha256 end
) as delivery_order
from ledger.deliveries
"""
# A row rule that is judged once persons are known. Its models read every row that was delivered, in
# a view beside the one of the parts that staging has not seen.
_JUDGED_LATE = "shared_value"
_EVERY_ROW = "__every_row"
_ARROW_TYPES = {
    16: pa.bool_(),
    20: pa.int64(),
    23: pa.int64(),
    25: pa.string(),
    701: pa.float64(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class _Part:
    path: str
    rows: int
    contract_hash: str
    file: str
    order: str

    @property
    def mark(self) -> str:
        """What must stay the same for rows that were staged to stand.

        Erasure changes it, and so does an earlier delivery of the same bytes that arrives late.
        """
        return f"{self.path} {self.rows} {self.order}"


@contextmanager
def open_build(settings: Settings, *, read_only: bool = False) -> "Iterator[DuckDBPyConnection]":
    """A connection to <home>/warehouse/build.duckdb that spills, speaks UTC and sees the lake.

    One process at a time may hold it for writing. Raises duckdb.IOException where another does.
    """
    import duckdb

    file = settings.warehouse_file
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = settings.path("tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    # the same options as in dbt_project/profiles.yml: a process cannot open a file with two sets
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "threads": str(settings.threads),
        "temp_directory": str(temporary),
        "preserve_insertion_order": "false",
    }
    with duckdb.connect(file, read_only=read_only, config=options) as connection:
        connection.execute("set timezone = 'UTC'")
        if protocol := lake_protocol(settings):
            import fsspec

            connection.register_filesystem(fsspec.filesystem(protocol))
        yield connection


def lake_protocol(settings: Settings) -> str | None:
    """The fsspec protocol of the raw zone; None where it is a local folder."""
    protocol, separator, _ = settings.lake_url.partition("://")
    return protocol if separator and protocol != "file" else None


def prepare(settings: Settings, contracts: Contracts, run: Run) -> None:
    """Bring the working file up to date with the ledger and the run, before dbt builds staging.

    Writes the schema `meta` and, for each contract, the view `raw.<source>__<entity>` over the
    parts that its staging table has not seen. A staging table that other code, another contract
    or parts that no longer count have made is dropped, so that dbt builds it from all parts. Raises
    ZhongtaiError that names the parts to be read that are lost; the file stays as it was then.
    """
    lake = Lake(settings)
    with connect(settings) as ledger, open_build(settings) as build:
        # others load meanwhile: every table is to show the same ledger
        ledger.execute("set transaction isolation level repeatable read")
        build.execute("begin")
        for schema in ("meta", "raw", "staging"):
            build.execute(f"create schema if not exists {schema}")
        build.execute(
            "create or replace table meta.run_context as select ?::varchar as run_id,"
            " ?::timestamp as as_of",
            [run.run_id, run.as_of.replace(tzinfo=None)],
        )
        build.execute(f"create or replace table meta.next_snapshot ({_NEXT_SNAPSHOT})")
        for table in _MIRRORED:
            _mirror(ledger, build, table)
        _mirror(ledger, build, "handovers", "erasure")
        _write_known_values(build, contracts)
        _write_contracts(build, contracts)
        seed_state.expect(build, settings.project_dir)
        staging_state.create(build)
        for contract in contracts.values():
            fingerprint = staging_state.fingerprint(settings.project_dir, contract)
            parts = _parts(ledger, contract)
            standing = {part.mark for part in parts}
            staged = staging_state.keep_staged(build, contract.table, fingerprint, standing)
            unseen = [part for part in parts if part.mark not in staged]
            lake.refuse_lost((p.path for p in unseen), {p.path: p.file for p in unseen})
            _create_raw_view(settings, build, contract, unseen)
            if contract.rule(_JUDGED_LATE):
                # a lost part is the gate's to tell
                lost = find_lost(lake.inspect(part.path for part in parts))
                readable = [part for part in parts if part.path not in lost]
                _create_raw_view(settings, build, contract, readable, _EVERY_ROW)
            marks = [part.mark for part in unseen]
            staging_state.expect(build, contract.table, fingerprint, marks)
        build.execute("commit")
    reach("build.prepared")


def name_snapshot(settings: Settings, snapshot_id: str, run: Run, created_at: datetime) -> None:
    """Tell the models which snapshot they make, so that it can list itself.

    `created_at` is an aware instant. Called between `prepare` and the models of metrics.
    """
    instants = (run.as_of, created_at)
    with open_build(settings) as build:
        build.execute("create schema if not exists meta")
        build.execute(f"create or replace table meta.next_snapshot ({_NEXT_SNAPSHOT})")
        build.execute(
            "insert into meta.next_snapshot values (?, ?, ?, ?)",
            [snapshot_id, run.run_id, *(i.astimezone(UTC).replace(tzinfo=None) for i in instants)],
        )
    reach("build.snapshot_named")


def record_staged(settings: Settings, tables: Iterable[str], *, has_seeds: bool = False) -> None:
    """Remember that the staging models of these raw tables (`crm__leads`) have seen their parts.

    `has_seeds` says that the seeds were loaded as well. Called after they were built. A crash
    before it is harmless: the parts are staged again, and a row that is there already changes
    nothing.
    """
    with open_build(settings) as build:
        build.execute("begin")
        staging_state.record(build, tables)
        if has_seeds:
            seed_state.record(build)
        build.execute("commit")
    reach("build.staging_recorded")


def forget_staging(settings: Settings, tables: Iterable[str] | None = None) -> None:
    """Drop the staging tables of these raw tables (all by default), to be built from all parts.

    `prepare` must follow before the next build.
    """
    with open_build(settings) as build:
        build.execute("create schema if not exists meta")
        staging_state.create(build)
        staging_state.forget(build, tables)
    reach("build.staging_forgotten")


def list_unstaged(settings: Settings) -> list[str]:
    """Raw tables (`crm__leads`) whose staging table is missing or has parts to see; sorted.

    `prepare` has told which; the staging table of any other is as a build would leave it.
    """
    with open_build(settings, read_only=True) as build:
        return staging_state.list_unstaged(build)


def needs_seeds(settings: Settings) -> bool:
    """Whether the seeds are to be loaded; `prepare` has told, and dropped those that are not."""
    with open_build(settings, read_only=True) as build:
        return not seed_state.are_loaded(build)


def _mirror(
    ledger: psycopg.Connection, build: "DuckDBPyConnection", table: str, schema: str = "ledger"
) -> None:
    """Copy a table of PostgreSQL to `meta`, times as naive UTC."""
    whole = f"select * from {schema}.{table}"  # noqa: S608  # names of our own
    cursor = ledger.execute((_ORDERED_DELIVERIES if table == "deliveries" else whole).encode())
    rows = cursor.fetchall()
    columns = [(c.name, _ARROW_TYPES[c.type_code]) for c in cursor.description or ()]
    values: Any = zip(*rows, strict=True) if rows else [()] * len(columns)
    mirrored = pa.table(
        {name: pa.array(cells, kind) for (name, kind), cells in zip(columns, values, strict=True)}
    )
    build.register("mirrored", mirrored)
    naive = ", ".join(
        f"{name} at time zone 'UTC' as {name}"
        for name, kind in columns
        if pa.types.is_timestamp(kind)
    )
    replaced = f"replace ({naive})" if naive else ""
    query = f"select * {replaced} from mirrored"  # noqa: S608  # names of our own
    build.execute(f"create or replace table meta.{table} as {query}")
    build.unregister("mirrored")


def _write_known_values(build: "DuckDBPyConnection", contracts: Contracts) -> None:
    known = [
        (contract.table, column.name, value)
        for contract in contracts.values()
        for column in contract.columns
        if column.type == "enum"
        for value in column.values
    ]
    names = ("table_name", "column_name", "value")
    build.register(
        "known",
        pa.table({name: [row[i] for row in known] for i, name in enumerate(names)})
        if known
        else pa.table({name: pa.array([], pa.string()) for name in names}),
    )
    build.execute("create or replace table meta.known_values as select * from known")
    build.unregister("known")


def _write_contracts(build: "DuckDBPyConnection", contracts: Contracts) -> None:
    """What the freshness of each entity is measured by."""
    described = [(c.source, c.entity, c.owner, c.fresh_for) for c in contracts.values()]
    sources, entities, owners, limits = zip(*described, strict=True)
    build.execute(
        "create or replace table meta.contracts as select unnest($sources::varchar[]) as source,"
        " unnest($entities::varchar[]) as entity, unnest($owners::varchar[]) as owner,"
        " unnest($minutes::bigint[]) as fresh_within_minutes",
        {
            "sources": list(sources),
            "entities": list(entities),
            "owners": list(owners),
            "minutes": [int(limit.total_seconds()) // 60 for limit in limits],
        },
    )


def _parts(ledger: psycopg.Connection, contract: Contract) -> list[_Part]:
    found = ledger.execute(
        "select p.part, p.rows, d.contract_hash, d.file, md5(d.delivery_order)"  # noqa: S608  # our own
        f" from ledger.parts p join ({_ORDERED_DELIVERIES} where source = %s and entity = %s) as d"
        " using (delivery_id)"
        " where p.rows > 0 order by p.sequence",
        [contract.source, contract.entity],
    )
    return [_Part(*row) for row in found]


def _create_raw_view(
    settings: Settings,
    build: "DuckDBPyConnection",
    contract: Contract,
    parts: list[_Part],
    suffix: str = "",
) -> None:
    """The view `raw.<table><suffix>`: parts as delivered, with the order and the as-of of each."""
    view = f"raw.{contract.table}{suffix}"
    columns = {column.delivered: "varchar" for column in contract.columns} | _PART_METADATA
    if not parts:
        typed = (f"cast(null as {kind}) as {_name(name)}" for name, kind in columns.items())
        build.execute(
            f"create or replace view {view} as select {', '.join(typed)},"
            " cast(null as varchar) as _delivery_order, cast(null as timestamp) as _as_of"
            " where false"
        )
        return
    one_schema = all(part.contract_hash == contract.content_hash for part in parts)
    present = set(columns) if one_schema else _columns_of(settings, build, parts)
    selected = (
        f"part.{_name(name)}" if name in present else f"cast(null as {kind}) as {_name(name)}"
        for name, kind in columns.items()
    )
    joined = (
        f"{_read(settings, parts, one_schema)} as part"
        " join meta.deliveries as delivery on delivery.delivery_id = part._delivery_id"
    )
    order = "delivery.delivery_order as _delivery_order, delivery.as_of as _as_of"
    query = f"select {', '.join(selected)}, {order} from {joined}"  # noqa: S608  # names of our own
    build.execute(f"create or replace view {view} as {query}")


def _columns_of(settings: Settings, build: "DuckDBPyConnection", parts: list[_Part]) -> set[str]:
    """The columns that parts written under other versions of the contract have between them."""
    samples = list({part.contract_hash: part for part in parts}.values())
    query = f"describe select * from {_read(settings, samples, False)}"  # noqa: S608  # our own
    found = build.execute(query).fetchall()
    return {row[0] for row in found}


def _read(settings: Settings, parts: list[_Part], one_schema: bool) -> str:
    files = ", ".join(_text(f"{settings.lake_url}/{part.path}") for part in parts)
    by_name = "" if one_schema else ", union_by_name = true"
    return f"read_parquet([{files}]{by_name})"


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
