"""Exact connected components of the graph between records and identifier values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zhongtai.identity.declaration import Declaration
from zhongtai.identity.evidence import Reading, Sources, read_everything
from zhongtai.identity.guards import find_hubs, limit_records

if TYPE_CHECKING:
    import duckdb

Labels = npt.NDArray[np.int32]

# A value that somebody else may hold as well (a backup phone) joined with a name is a value of its
# own: it links the records that agree on both.
_TAKE_ALL = (
    "create or replace temp view identity_nodes as select * from identity_state.nodes",
    """
create or replace temp table identity_backed as
select distinct value_hash from identity_state.facts where needs_name
""",
    """
create or replace temp table identity_named_facts as
select f.* replace (hash(f.value_hash, n.name) as value_hash)
from identity_state.facts as f
inner join identity_state.nodes as n using (record_no)
where n.is_full_name and f.value_hash in (select value_hash from identity_backed)
""",
    """
create or replace temp view identity_facts as
select * from identity_state.facts where not needs_name
union all
select * from identity_named_facts
""",
    """
create or replace temp view identity_backups as
select record_no, value_hash from identity_state.facts where needs_name
""",
    "create or replace temp view identity_must_links as select * from identity_state.must_links",
    """
create or replace temp view identity_cannot_links as
select * from identity_state.cannot_links
""",
)

_COUNT_VALUES = """
create or replace temp table identity_value_counts as
select value_hash, any_value(type_no) as type_no, count(*) as record_count
from identity_facts
group by value_hash
"""

# One node per value that several records share: a value of one record links nothing.
_NUMBER_VALUES = """
create or replace temp table identity_values as
select (row_number() over () - 1)::integer as value_no, v.value_hash
from identity_value_counts as v
inner join identity_types as t using (type_no)
where v.record_count > 1 and t.is_edge
"""

_JOIN_LINKS = """
create or replace temp table identity_links as
select
    f.record_no,
    v.value_no,
    f.value_hash,
    f.type_no,
    f.first_seen_at,
    f.last_seen_at,
    f.record_count,
    f.is_verified,
from identity_facts as f
inner join identity_values as v using (value_hash)
left join identity_hubs as h using (value_hash)
left join identity_kept as k using (value_hash, record_no)
left join identity_overfull as o using (value_hash, record_no)
where (h.value_hash is null or k.value_hash is not null) and o.value_hash is null
"""


@dataclass(frozen=True)
class Graph:
    """How many records and links to shared values were looked at."""

    records: int
    links: int


def label_components(left: npt.ArrayLike, right: npt.ArrayLike, size: int) -> Labels:
    """Label each of `size` nodes with its component, given edges left[i] to right[i].

    Node numbers are 0 … size-1; loops and repeated edges are allowed. Two nodes get the same
    label exactly if a path joins them. The labels themselves mean nothing.
    Raises ValueError where a node number is out of range.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if size == 0:
        return np.zeros(0, dtype=np.int32)
    rows = np.asarray(left, dtype=np.int32)
    columns = np.asarray(right, dtype=np.int32)
    # float64 is what csgraph computes in: any other type would be copied once more
    graph = coo_array((np.ones(len(rows), dtype=np.float64), (rows, columns)), shape=(size, size))
    labels: Labels = connected_components(graph.tocsr(), directed=False)[1]
    return labels


def label_records(
    connection: "duckdb.DuckDBPyConnection", sources: Sources, declaration: Declaration
) -> tuple[Graph, Reading]:
    """Read all sources and write the temp table `identity_partition`: what evidence joins.

    Also leaves the schema identity_state, and what the guard rails found as temp tables.
    """
    reading = read_everything(connection, sources, declaration)
    take_all(connection)
    connection.execute(_COUNT_VALUES)
    find_hubs(connection)
    return label_links(connection), reading


def take_all(connection: "duckdb.DuckDBPyConnection") -> None:
    """Let `label_links` and all that follows it read every record of schema identity_state."""
    for statement in _TAKE_ALL:
        connection.execute(statement)


def label_links(connection: "duckdb.DuckDBPyConnection") -> Graph:
    """Write the temp table `identity_partition` (record_no, component) of identity_nodes.

    A component is known by its smallest record_no. Also leaves identity_values and identity_links.
    """
    import pyarrow as pa

    limit_records(connection)
    connection.execute(_NUMBER_VALUES)
    connection.execute(_JOIN_LINKS)
    numbers = _list_records(connection)
    values = _count(connection, "identity_values")
    links = connection.execute("select record_no, value_no from identity_links").fetchnumpy()
    decided = connection.execute("select left_no, right_no from identity_must_links").fetchnumpy()
    labels = label_components(
        _places(numbers, np.concatenate([links["record_no"], decided["left_no"]])),
        np.concatenate(
            [
                np.asarray(links["value_no"], dtype=np.int32) + np.int32(len(numbers)),
                _places(numbers, decided["right_no"]),
            ]
        ),
        len(numbers) + values,
    )[: len(numbers)]
    first = np.zeros(len(numbers) + values, dtype=np.int32)
    # of what is written to one place the last stays: the smallest number
    first[labels[::-1]] = numbers[::-1]
    labelled = pa.table({"record_no": numbers, "component": first[labels]})
    connection.register("identity_labels", labelled)
    connection.execute(
        "create or replace temp table identity_partition as select * from identity_labels"
    )
    connection.unregister("identity_labels")
    return Graph(len(numbers), len(links["record_no"]))


def _list_records(connection: "duckdb.DuckDBPyConnection") -> Labels:
    """The numbers of the records in hand, in order."""
    row = connection.execute("select count(*), max(record_no) from identity_nodes").fetchone()
    size, last = (row[0], row[1]) if row else (0, None)
    if last is None or last == size - 1:
        return np.arange(size, dtype=np.int32)
    found = connection.execute(
        "select record_no from identity_nodes order by record_no"
    ).fetchnumpy()["record_no"]
    return np.asarray(found, dtype=np.int32)


def _places(numbers: Labels, records: npt.ArrayLike) -> Labels:
    """Where each of the records stands among the sorted numbers."""
    if len(numbers) and numbers[-1] == len(numbers) - 1:
        return np.asarray(records, dtype=np.int32)
    return np.searchsorted(numbers, records).astype(np.int32)


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
