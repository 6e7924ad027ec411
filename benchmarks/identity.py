"""The whole deterministic identity stage of 10 M records, and of a delta of 1 % of them.

Records of made-up persons with phones, accounts and devices; one in fifty shares a phone with a
family of other names, and a hundred phones belong to shops. The delta is new records, newer times
and records that are gone. Both runs start from evidence in tables and end with schema identity.

    python -m benchmarks.identity [--records 10000000]
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# numbers of our own
PROJECT = Path(__file__).parents[1]
START = datetime(2026, 6, 1, tzinfo=UTC)

_RECORDS = """
create or replace table records as
select
    if(i % 2 = 0, 'crm', 'dms') as source,
    'leads' as entity,
    'L' || lpad(i::varchar, 12, '0') as record_key,
    timestamp '2026-01-01' + to_days((i % 150)::integer) as first_seen_at,
    case
        when i % 3 > 0
        then chr((19968 + hash(person) % 90)::integer)
            || chr((20200 + hash(person + 1) % 900)::integer)
            || chr((21200 + hash(person + 2) % 900)::integer)
    end as name,
    null::varchar as hint,
    null::date as birth_date,
    person,
    i,
from (select i, hash(i) % {persons} as person from range({first}, {last}) as t(i))
"""

# a phone on most records, an account on a third, a device on some
_EVIDENCE = """
create or replace table evidence as
select
    source,
    entity,
    record_key,
    identifier_type,
    '' as identifier_scope,
    identifier_value,
    first_seen_at,
    first_seen_at + interval 10 days as last_seen_at,
    1::bigint as record_count,
    false as is_verified,
    false as needs_name,
from (
    select *, 'mobile' as identifier_type,
        '+861' || lpad(
            case
                when hash(i) % 1000 = 0 then (i % 100)::varchar
                when person % 50 = 0 then (1000 + person // 100)::varchar
                else (100000000 + person)::varchar
            end, 10, '3'
        ) as identifier_value,
    from records
    where i % 10 > 0
    union all
    select *, 'login_id', 'account' || person from records where i % 3 = 0
    union all
    select *, 'anonymous_id', 'device' || (person * 2 + i % 2) from records where i % 8 < 3
)
"""


def write_world(connection: "duckdb.DuckDBPyConnection", records: int) -> None:
    """The tables `records` and `evidence`: 2.5 records a person, 1.6 values a record."""
    persons = max(records * 2 // 5, 1)
    connection.execute(_RECORDS.format(persons=persons, first=0, last=records))
    connection.execute(_EVIDENCE)


def write_delta(connection: "duckdb.DuckDBPyConnection", records: int) -> None:
    """Half a percent more records, later times for 0.3 %, and 0.2 % of the records gone."""
    more = max(records // 200, 1)
    persons = max(records * 2 // 5, 1)
    for table in ("records", "evidence"):
        connection.execute(f"alter table {table} rename to old_{table}")
    connection.execute(_RECORDS.format(persons=persons, first=records, last=records + more))
    connection.execute(_EVIDENCE)
    connection.execute(
        "insert into records select * from old_records where hash(record_key) % 500 <> 0"
    )
    connection.execute(
        "insert into evidence select * replace (last_seen_at + to_days("
        "if(hash(record_key) % 1000 < 3, 1, 0)) as last_seen_at)"
        " from old_evidence where hash(record_key) % 500 <> 0"
    )
    connection.execute("drop table old_records")
    connection.execute("drop table old_evidence")


def run_stage(file: Path, day: int) -> dict[str, Any]:
    """Resolve what the tables hold, from the map of the day before; publish the result.

    Loading the libraries is not measured: in a run, the steps before have loaded nearly all.
    """
    import duckdb
    import pandas  # noqa: F401  # pyarrow loads it sooner or later
    import scipy.sparse.csgraph  # noqa: F401

    from zhongtai.identity import History, Sources, load_declaration, resolve_records
    from zhongtai.identity.state import write_state
    from zhongtai.runs import Run

    # matching is measured against Splink elsewhere
    declaration = replace(load_declaration(PROJECT), matching=None)
    folder = file.parent / f"snapshot-{day}"
    before = file.parent / f"snapshot-{day - 1}"
    history = History(before, (before,)) if before.is_dir() else History()
    now = START + timedelta(days=day)
    options = {"memory_limit": "4GB", "threads": "2", "preserve_insertion_order": "false"}
    with duckdb.connect(file, config=options) as connection:
        started, processor = time.perf_counter(), time.process_time()
        report = resolve_records(
            connection,
            Sources(records="records", evidence="evidence"),
            declaration,
            history=history,
            run=Run(f"run-{day}", "benchmark", now, now),
        )
        seconds = time.perf_counter() - started
        processor = time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        write_state(connection, folder)
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),
        "peak_gb": round(peak, 2),
        "persons": report.persons,
        "touched": report.touched,
        "full_because": report.full_because,
    }


def measure(records: int) -> dict[str, Any]:
    """A full run and a delta, each in a process of its own, and their ratios.

    That of processor time tells more where others use the machine as well.
    """
    import duckdb

    context = multiprocessing.get_context("spawn")
    measured: dict[str, Any] = {"records": records}
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as folder:
        file = Path(folder) / "build.duckdb"
        for day, (name, write) in enumerate((("full", write_world), ("delta", write_delta))):
            with duckdb.connect(file, config={"memory_limit": "4GB", "threads": "2"}) as connection:
                write(connection, records)
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
                measured[name] = process.submit(run_stage, file, day).result()
    if measured["delta"]["full_because"]:
        raise AssertionError(f"the delta was resolved in full: {measured}")
    full, delta = measured["full"], measured["delta"]
    return measured | {
        "ratio": round(delta["seconds"] / full["seconds"], 4),
        "processor_ratio": round(delta["processor_seconds"] / full["processor_seconds"], 4),
    }


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    print(json.dumps(measure(parser.parse_args().records)))  # noqa: T201


if __name__ == "__main__":
    main()
