"""Who is who in sample exports: the identity step of a real run against the generator's truth."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from benchmarks.accuracy_report import (
    SHARES,
    Breakdown,
    Result,
    break_down_sizes,
    write_shares,
)
from benchmarks.accuracy_rivals import equal_values, splink_for_persons
from zhongtai.identity.matching import Quality, measure_classes, measure_quality, measure_sizes

if TYPE_CHECKING:
    import duckdb

PEOPLE, DAYS, SEED = 8_000, 30, 1_009
OURS, UNION = "zhongtai", "connected components of all identifiers"
SPLINK = "Splink's comparisons for persons, connected components at {}"
SPLINK_THRESHOLDS = (0.01, 0.05, 0.5)

# Records that are somebody's; companies, kiosks and family tablets are nobody's.
_TRUTH = """
create temp table persons as
select
    source || chr(31) || entity || chr(31) || record_key as row_key,
    person_id as cluster,
    evidence_class as class,
    evidence_suffices,
from read_parquet('{truth}/identity_classes.parquet')
where person_id is not null
"""
_FOUND = """
create temp table found as
select source || chr(31) || entity || chr(31) || record_key as row_key, one_id as cluster
from identity.record_map
"""
_EVIDENCE = """
select
    source || chr(31) || entity || chr(31) || record_key as row_key,
    concat_ws(chr(31), identifier_type, identifier_scope, identifier_value) as value,
from intermediate.int_identity_evidence
"""
# What Splink compares: one row per record, of several values of a type the one named most.
_SPLINK_ROWS = """
with known as (
    select source, entity, record_key, identifier_type, identifier_value
    from intermediate.int_identity_evidence
    qualify row_number() over (
        partition by source, entity, record_key, identifier_type
        order by record_count desc, identifier_value
    ) = 1
),
cities as (
    select source, entity, record_key, min(value) as city
    from intermediate.int_identity_attributes
    where attribute = 'city'
    group by all
)
select
    r.source || chr(31) || r.entity || chr(31) || r.record_key as row_key,
    any_value(r.name) as name,
    any_value(r.birth_date)::varchar as birth_date,
    any_value(c.city) as city,
    max(k.identifier_value) filter (k.identifier_type = 'mobile') as mobile,
    max(k.identifier_value) filter (k.identifier_type = 'email') as email,
    max(k.identifier_value) filter (k.identifier_type = 'id_card') as id_card,
    max(k.identifier_value) filter (k.identifier_type = 'login_id') as login_id,
    max(k.identifier_value) filter (k.identifier_type = 'unionid') as unionid,
from intermediate.int_identity_records as r
left join known as k using (source, entity, record_key)
left join cities as c using (source, entity, record_key)
where not r.is_organisation
group by r.source, r.entity, r.record_key
order by row_key
"""
_APART = """
select
    p.kind,
    count(*) as pairs,
    count(*) filter (a.cluster = b.cluster) as joined_by_us,
    count(*) filter (c.cluster = d.cluster) as joined_by_union,
from read_parquet('{truth}/refused_pairs.parquet') as p
left join found as a
    on a.row_key = p.source || chr(31) || p.entity || chr(31) || p.record_key
left join found as b
    on b.row_key = p.other_source || chr(31) || p.other_entity || chr(31) || p.other_record_key
left join united as c on c.row_key = a.row_key
left join united as d on d.row_key = b.row_key
group by p.kind
order by p.kind
"""
_COMPANIES = """
select count(*), count(m.one_id)
from read_parquet('{truth}/identity_classes.parquet') as t
left join identity.record_map as m using (source, entity, record_key)
where t.evidence_class = 'company'
"""


def measure(
    people: int = PEOPLE,
    days: int = DAYS,
    seed: int = SEED,
    thresholds: Sequence[float] = SPLINK_THRESHOLDS,
) -> Iterator[Result | Breakdown]:
    """The default rules beside Splink and the plain union of identifiers, whole and by class."""
    with resolved_world(people, days, seed) as (connection, truth, seconds):
        connection.execute(_TRUTH.format(truth=truth))
        connection.execute(_FOUND)
        tables = {OURS: ("found", seconds), **_run_rivals(connection, thresholds)}
        scopes = {"world, all records of persons": "true", "world": "evidence_suffices"}
        for scope, condition in reversed(scopes.items()):
            for method, (table, taken) in tables.items():
                yield Result(scope, method, _measure(connection, table, condition), taken)
        yield _break_down_classes(connection)
        yield _break_down_apart(connection, truth)
        yield break_down_sizes(
            "world",
            {
                "truth": measure_sizes(connection, "persons"),
                **{
                    method: measure_sizes(connection, _part(table, "true"))
                    for method, (table, _) in tables.items()
                },
            },
        )


@contextmanager
def resolved_world(
    people: int, days: int, seed: int
) -> Iterator[tuple["duckdb.DuckDBPyConnection", Path, float]]:
    """The working file of a home after its identity step, the folder of the truth, seconds."""
    from zhongtai import pipeline, warehouse
    from zhongtai.build import run_step
    from zhongtai.cli.server import server_on_demand
    from zhongtai.contracts import load_contracts
    from zhongtai.database import connect
    from zhongtai.generate.exports import generate
    from zhongtai.runs import start_run
    from zhongtai.settings import load_settings

    # a short path: PostgreSQL's socket must fit into 107 characters
    folder = Path(tempfile.mkdtemp(prefix="zt-acc-", dir="/tmp"))
    try:
        made = generate(folder / "world", people=people, days=days, seed=seed)
        as_of = datetime.fromisoformat(made.as_of)
        settings = load_settings(
            home=folder / "home", landing=str(folder / "world" / "landing"), stable_seconds=0
        )
        with server_on_demand(settings):
            pipeline.ingest(settings, as_of=as_of)
            with connect(settings, autocommit=True) as ledger:
                run = start_run(ledger, "accuracy", as_of)
            warehouse.prepare(settings, load_contracts(settings.project_dir), run)
            for step in ("staging", "evidence"):
                run_step(settings, run, step)
            started = time.perf_counter()
            run_step(settings, run, "identity")
            seconds = time.perf_counter() - started
        with warehouse.open_build(settings, read_only=True) as connection:
            yield connection, folder / "world" / "truth", seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_rivals(
    connection: "duckdb.DuckDBPyConnection", thresholds: Sequence[float]
) -> dict[str, tuple[str, float]]:
    """The tables (row_key, cluster) of the other methods with their seconds, by method."""
    compared = connection.execute(_SPLINK_ROWS).to_arrow_table()
    methods = {
        **{
            SPLINK.format(threshold): partial(splink_for_persons(threshold), compared)
            for threshold in thresholds
        },
        UNION: partial(unite, connection),
    }
    tables = {}
    for number, (method, resolve) in enumerate(methods.items()):
        table = "united" if method == UNION else f"rival_{number}"
        started = time.perf_counter()
        connection.register(table, resolve())
        tables[method] = (table, time.perf_counter() - started)
    return tables


def unite(connection: "duckdb.DuckDBPyConnection") -> pa.Table:
    """Every record with those that name a value which it names: (row_key, cluster)."""
    keys = connection.execute("select row_key from found order by row_key").to_arrow_table()
    values = connection.execute(_EVIDENCE).to_arrow_table()
    return equal_values(keys["row_key"], values["row_key"], values["value"])


def _part(table: str, condition: str) -> str:
    return (
        f"(select t.row_key, t.cluster from {table} as t"  # noqa: S608  # names of our own
        f" semi join (select row_key from persons where {condition}) using (row_key))"
    )


def _measure(connection: "duckdb.DuckDBPyConnection", table: str, condition: str) -> Quality:
    return measure_quality(
        connection, found=_part(table, condition), truth=_part("persons", condition)
    )


def _break_down_classes(connection: "duckdb.DuckDBPyConnection") -> Breakdown:
    """Records whose evidence suffices, by what makes them hard."""
    condition = "evidence_suffices"
    rows = []
    for method, table in ((OURS, "found"), (UNION, "united")):
        measured = measure_classes(
            connection,
            found=_part(table, condition),
            truth=_part("persons", condition),
            classes=f"(select row_key, class from persons where {condition})",  # noqa: S608
        )
        rows += [
            (name, method, f"{quality.rows:,}", *write_shares(quality), f"{quality.largest:,}")
            for name, quality in measured.items()
        ]
    return Breakdown(
        "Evidence classes of the world",
        "Records whose evidence suffices by what makes them hard, each with all pairs that it"
        " stands in; what the classes are is said in truth/README.md of any generated world.",
        ("class", "method", "records", *SHARES, "largest"),
        tuple(sorted(rows, key=lambda row: row[0])),
    )


def _break_down_apart(connection: "duckdb.DuckDBPyConnection", truth: Path) -> Breakdown:
    """What shares something and is two persons, and companies, which are none."""
    rows = [
        (str(kind), *(f"{number:,}" for number in numbers))
        for kind, *numbers in connection.execute(_APART.format(truth=truth)).fetchall()
    ]
    companies, among_persons = connection.execute(_COMPANIES.format(truth=truth)).fetchone() or (
        0,
        0,
    )
    return Breakdown(
        "What must stay apart in the world",
        "Pairs of records that share something and are two persons, and how many of them each"
        f" method made one. Of {companies:,} records of companies, {among_persons:,} are among"
        " the persons.",
        ("shared", "pairs", OURS, UNION),
        tuple(rows),
    )
