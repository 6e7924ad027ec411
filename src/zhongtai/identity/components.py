"""Exact connected components of the graph between records and identifier values."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zhongtai.errors import ZhongtaiError

if TYPE_CHECKING:
    import duckdb

Labels = npt.NDArray[np.int32]

# Records and values are joined by 64-bit hashes of their keys: texts cost three times as much. Two
# keys with one hash would make two persons one, so both tables are checked for it, and hashed
# anew with a salt inside the text should it ever happen.
_NODE_HASH = "hash(source, entity, concat({salt}, record_key))"
_VALUE_HASH = "hash(identifier_type, identifier_scope, concat({salt}, identifier_value))"

# Nodes are numbered densely, records first, so that arrays can be indexed by them.
_NUMBER_RECORDS = """
create or replace temp table identity_nodes as
select
    row_number() over () - 1 as record_no,
    {node_hash} as node_hash,
    source,
    entity,
    record_key,
    first_seen_at,
from {records}
"""

_COUNT_VALUES = """
create or replace temp table identity_value_counts as
select {value_hash} as value_hash, count(*) as record_count
from {evidence}
group by identifier_type, identifier_scope, identifier_value
"""

_COUNT_COLLISIONS = """
select
    (select count(*) - count(distinct node_hash) from identity_nodes)
    + (select count(*) - count(distinct value_hash) from identity_value_counts)
"""

# One node per value that several records share: a value of one record links nothing.
_NUMBER_VALUES = """
create or replace temp table identity_values as
select row_number() over () - 1 as value_no, value_hash
from identity_value_counts
where record_count > 1
"""

_JOIN_LINKS = """
create or replace temp table identity_links as
select
    n.record_no::integer as record_no,
    v.value_no::integer as value_no,
    e.identifier_type,
    e.priority,
    e.first_seen_at,
from (
    select
        {node_hash} as node_hash,
        {value_hash} as value_hash,
        identifier_type,
        priority,
        first_seen_at,
    from {evidence}
) as e
inner join identity_values as v using (value_hash)
inner join identity_nodes as n using (node_hash)
"""


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
    connection: "duckdb.DuckDBPyConnection", *, records: str, evidence: str
) -> tuple[int, int]:
    """Write the temp table `identity_partition` (source, entity, record_key, component, …).

    `records` (source, entity, record_key, first_seen_at) and `evidence` (source, entity,
    record_key, identifier_type, identifier_scope, identifier_value, priority, first_seen_at) are
    relations of this connection: tables, views or bracketed queries. Every row of `evidence` is
    an edge, and its record is one of `records`.
    Returns the number of records and of edges between records and shared values.
    """
    import pyarrow as pa

    _number_nodes(connection, records=records, evidence=evidence)
    record_count = _count(connection, "identity_nodes")
    value_count = _count(connection, "identity_values")
    links = connection.execute("select record_no, value_no from identity_links").fetchnumpy()
    values = np.asarray(links["value_no"], dtype=np.int32) + np.int32(record_count)
    labels = label_components(links["record_no"], values, record_count + value_count)
    numbers = np.arange(record_count, dtype=np.int64)
    labelled = pa.table({"record_no": numbers, "component": labels[:record_count]})
    connection.register("identity_labels", labelled)
    connection.execute(
        "create or replace temp table identity_partition as"
        " select n.*, l.component from identity_nodes as n"
        " inner join identity_labels as l using (record_no)"
    )
    connection.unregister("identity_labels")
    connection.execute("drop table identity_nodes")
    return record_count, len(links["record_no"])


def _number_nodes(connection: "duckdb.DuckDBPyConnection", *, records: str, evidence: str) -> None:
    """Write identity_nodes, identity_values and identity_links, free of hash collisions."""
    for salt in ("", "#", "##", "###"):
        words = {
            "records": records,
            "evidence": evidence,
            "node_hash": _NODE_HASH.format(salt=f"'{salt}'"),
            "value_hash": _VALUE_HASH.format(salt=f"'{salt}'"),
        }
        connection.execute(_NUMBER_RECORDS.format(**words))
        connection.execute(_COUNT_VALUES.format(**words))
        row = connection.execute(_COUNT_COLLISIONS).fetchone()
        if row and row[0] == 0:
            break
    else:
        raise ZhongtaiError(
            f"{row[0] if row else 0} records of identity resolution share a key with another one",
            hint="each (source, entity, record_key) may occur once in int_identity_records",
        )
    connection.execute(_NUMBER_VALUES)
    connection.execute(_JOIN_LINKS.format(**words))


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
