"""Connected components of 10 M records and 16 M edges, against scipy on the same edges.

A chain of 1 M records and a star of 1 M are among them, and measured by themselves as well. Both
sides start from the same table of records and identifier values (text) and end with one component
label per record. The floor numbers the texts with Arrow and hands the edges to scipy as they are.

    python -m benchmarks.components [--records 10000000] [--edges 16000000]
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SHAPES = ("world", "chain", "star")
# of ten records of the world one is in its chain and one in its star
_PART = 10


def write_evidence(file: Path, shape: str, records: int, edges: int) -> None:
    """A DuckDB file with the tables `records` and `evidence` of one graph.

    chain: record n and record n+1 share a value; star: all records share one value; world: a tenth
    of the records is a chain, a tenth a star, and of the others every record names a few values,
    most of them shared by two or three records.
    """
    import duckdb

    with duckdb.connect(file) as connection:
        connection.execute("set memory_limit = '6GB'")
        connection.execute(
            "create table records as select 'crm' as source, 'leads' as entity,"
            " 'L' || lpad(i::varchar, 12, '0') as record_key,"
            " timestamp '2026-01-01' as first_seen_at, null::varchar as name,"
            " null::varchar as hint,"
            f" null::date as birth_date from range({records}) as t(i)"
        )
        connection.execute(
            "create table evidence as select 'crm' as source, 'leads' as entity,"
            " 'L' || lpad(record::varchar, 12, '0') as record_key,"
            " 'mobile' as identifier_type, '' as identifier_scope,"
            " '+861' || lpad(value::varchar, 10, '0') as identifier_value,"
            " timestamp '2026-01-01' as first_seen_at, timestamp '2026-01-01' as last_seen_at,"
            " 1 as record_count, false as is_verified, false as needs_name"
            f" from ({_edges(shape, records, edges)})"
        )


def _edges(shape: str, records: int, edges: int) -> str:
    """SQL of the edges (record, value) of a graph of so many records."""
    # ruff: noqa: S608  # numbers of our own
    if shape == "chain":
        return (
            f"select i % {records} as record, i % {records} + i // {records} as value"
            f" from range({2 * records}) as t(i)"
        )
    if shape == "star":
        return f"select i as record, 0 as value from range({records}) as t(i)"
    part = records // _PART
    others = records - 2 * part
    # values of the chain, of the star and of the others lie apart
    return (
        f"{_edges('chain', part, 0)}"
        f" union all select i + {part}, {2 * records} from range({part}) as t(i)"
        f" union all select {2 * part} + hash(i + {edges}) % {others},"
        f" {3 * records} + hash(i) % {records * 6 // 10}"
        f" from range({edges - 3 * part}) as t(i)"
    )


def run_ours(file: Path) -> int:
    """The product's own step; returns the number of components."""
    import duckdb

    from zhongtai.identity.components import Sources, label_records
    from zhongtai.identity.declaration import IdentifierType, declare

    with duckdb.connect(file) as connection:
        connection.execute("set memory_limit = '4GB'")
        connection.execute("set preserve_insertion_order = false")
        sources = Sources(records="records", evidence="evidence")
        label_records(connection, sources, declare(IdentifierType("mobile", 1)))
        row = connection.execute(
            "select count(distinct component) from identity_partition"
        ).fetchone()
    return int(row[0]) if row else 0


def run_scipy(file: Path) -> int:
    """The floor: number the texts with Arrow, then scipy; returns the number of components."""
    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    with duckdb.connect(file) as connection:
        connection.execute("set memory_limit = '4GB'")
        query = "select record_key, identifier_value from evidence"
        edges = connection.execute(query).to_arrow_table()
        keys = connection.execute("select record_key from records").to_arrow_table()
    columns = []
    for name, offset in (("record_key", 0), ("identifier_value", keys.num_rows)):
        texts = edges[name]
        if name == "record_key":
            # records without evidence count as well, so the numbers are those of the record table
            numbers = pc.index_in(texts, value_set=keys["record_key"].combine_chunks())
        else:
            numbers = pa.chunked_array(texts.combine_chunks().dictionary_encode().indices)
        columns.append(numbers.to_numpy().astype(np.int32) + np.int32(offset))
    size = int(max(column.max() for column in columns)) + 1
    graph = coo_array((np.ones(len(columns[0])), (columns[0], columns[1])), shape=(size, size))
    return int(connected_components(graph, directed=False)[0])


def _timed(name: str, file: Path) -> tuple[float, int, float]:
    """Seconds, components and peak GB; loading the libraries is not measured."""
    import duckdb  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import scipy.sparse.csgraph  # noqa: F401

    import zhongtai.identity.components  # noqa: F401

    started = time.perf_counter()
    components = {"ours": run_ours, "scipy": run_scipy}[name](file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return time.perf_counter() - started, components, peak


def measure(shape: str, records: int, edges: int) -> dict[str, object]:
    """Seconds, components and peak GB of both, each in a process of its own, and their ratio."""
    context = multiprocessing.get_context("spawn")
    measured: dict[str, object] = {"shape": shape, "records": records, "edges": edges}
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as folder:
        file = Path(folder) / "evidence.duckdb"
        write_evidence(file, shape, records, edges)
        seconds = {}
        for name in ("scipy", "ours"):
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
                seconds[name], components, peak = process.submit(_timed, name, file).result()
            measured |= {
                f"{name}_seconds": round(seconds[name], 4),
                f"{name}_components": components,
                f"{name}_peak_gb": round(peak, 2),
            }
    if measured["ours_components"] != measured["scipy_components"]:
        raise AssertionError(f"the two disagree: {measured}")
    return measured | {"ratio": round(seconds["ours"] / seconds["scipy"], 2)}


def main() -> None:
    """Print one line of JSON per shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--edges", type=int, default=16_000_000)
    options = parser.parse_args()
    for shape in SHAPES:
        size = options.records if shape == "world" else options.records // 10
        print(json.dumps(measure(shape, size, options.edges)))  # noqa: T201


if __name__ == "__main__":
    main()
