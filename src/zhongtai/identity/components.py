"""Exact connected components of the graph between records and identifier values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.declaration import Declaration
from zhongtai.identity.guards import (
    blocked_condition,
    blocked_name_condition,
    find_hubs,
    load_types,
)
from zhongtai.identity.names import full_name_sql, name_key_sql

if TYPE_CHECKING:
    import duckdb

Labels = npt.NDArray[np.int32]

_NO_OWNERS = (
    "(select ''::varchar as identifier_type, ''::varchar as identifier_scope,"
    " ''::varchar as identifier_value, ''::varchar as name where false)"
)
_NO_PAIRS = (
    "(select ''::varchar as source, ''::varchar as entity, ''::varchar as record_key,"
    " ''::varchar as other_source, ''::varchar as other_entity, ''::varchar as other_record_key"
    " where false)"
)


@dataclass(frozen=True)
class Sources:
    """What is resolved: relations of one connection (tables, views or bracketed queries).

    `records`: source, entity, record_key, first_seen_at, name, hint, birth_date; one row each.
    A `hint` is the name of somebody whom a record without name may be about: it can contradict a
    link and never makes one.
    `evidence`: source, entity, record_key, identifier_type, identifier_scope, identifier_value,
    first_seen_at, last_seen_at, record_count, is_verified, needs_name; one row per record and
    value, of records among `records`. What needs_name links only records of one full name.
    `owners`: who is known to own a value (identifier_type, identifier_scope, identifier_value,
    name).
    `attributes`: what is known of the person beside (source, entity, record_key, attribute, value).
    `must_links`, `cannot_links`: what people decided (source, entity, record_key, other_source,
    other_entity, other_record_key).
    """

    records: str
    evidence: str
    owners: str = _NO_OWNERS
    attributes: str | None = None
    must_links: str = _NO_PAIRS
    cannot_links: str = _NO_PAIRS


# Records and values are joined by 64-bit hashes of their keys: texts cost three times as much. Two
# keys with one hash would make two persons one, so both tables are checked for it, and hashed
# anew with a salt inside the text should it ever happen.
_NODE_HASH = "hash(source, entity, concat({salt}, record_key))"
_VALUE_HASH = "hash(identifier_type, identifier_scope, concat({salt}, identifier_value))"

# Nodes are numbered densely, so that arrays can be indexed by them.
_NUMBER_RECORDS = """
create or replace temp table identity_nodes as
select
    (row_number() over () - 1)::integer as record_no,
    {node_hash} as node_hash,
    source,
    entity,
    record_key,
    first_seen_at,
    {told_name} as name,
    birth_date,
    {is_full_name} and not {is_blocked_name} as is_full_name,
    name is not null as is_own_name,
from {records}
"""

_COUNT_VALUES = """
create or replace temp table identity_value_counts as
select {value_hash} as value_hash, any_value(type_no) as type_no, count(*) as record_count
from {evidence}
inner join identity_types using (identifier_type)
where {usable} and not needs_name
group by identifier_type, identifier_scope, identifier_value
"""

_COUNT_COLLISIONS = """
select
    (select count(*) - count(distinct node_hash) from identity_nodes)
    + (select count(*) - count(distinct value_hash) from identity_value_counts)
"""

_LIST_FACTS = """
create or replace temp table identity_facts as
select
    n.record_no,
    e.value_hash,
    e.scope_hash,
    e.type_no,
    e.first_seen_at,
    e.last_seen_at,
    e.record_count,
    e.is_verified,
    e.needs_name,
from (
    select
        {node_hash} as node_hash,
        {value_hash} as value_hash,
        hash(identifier_scope) as scope_hash,
        type_no,
        first_seen_at,
        last_seen_at,
        record_count,
        is_verified,
        needs_name,
    from {evidence}
    inner join identity_types using (identifier_type)
    where {usable}
) as e
inner join identity_nodes as n using (node_hash)
"""

# A value that somebody else may hold as well (a backup phone) joined with a name is a value of its
# own: it links the records that agree on both.
_NAME_VALUES = (
    """
create or replace temp table identity_named_facts as
select f.* replace (hash(f.value_hash, n.name) as value_hash)
from identity_facts as f
inner join identity_nodes as n using (record_no)
where
    n.is_full_name
    and f.value_hash in (select value_hash from identity_facts where needs_name)
""",
    """
create or replace temp table identity_backups as
select record_no, value_hash from identity_facts where needs_name
""",
    "delete from identity_facts where needs_name",
    "insert into identity_facts select * from identity_named_facts",
    """
insert into identity_value_counts
select value_hash, any_value(type_no), count(*) from identity_named_facts group by value_hash
""",
)

_LIST_OWNERS = """
create or replace temp table identity_owners as
select distinct {value_hash} as value_hash, {name_key} as name
from {owners}
"""

_NUMBER_PAIRS = """
create or replace temp table identity_{kind}_links as
select l.record_no as left_no, r.record_no as right_no
from {pairs} as p
inner join identity_nodes as l
    on p.source = l.source and p.entity = l.entity and p.record_key = l.record_key
inner join identity_nodes as r
    on p.other_source = r.source
    and p.other_entity = r.entity
    and p.other_record_key = r.record_key
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
    """Numbers of records and of links to shared values.

    `value_hash` and `blocked` are SQL over the evidence: how its values are numbered, and which of
    them identify nobody.
    """

    records: int
    links: int
    value_hash: str
    blocked: str


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
) -> Graph:
    """Write the temp table `identity_partition` (record_no, component): what evidence joins.

    Also leaves identity_nodes, identity_facts, identity_links and what the guard rails found.
    """
    import pyarrow as pa

    value_hash = _number_nodes(connection, sources, declaration)
    record_count = _count(connection, "identity_nodes")
    value_count = _count(connection, "identity_values")
    links = connection.execute("select record_no, value_no from identity_links").fetchnumpy()
    values = np.asarray(links["value_no"], dtype=np.int32) + np.int32(record_count)
    decided = connection.execute("select left_no, right_no from identity_must_links").fetchnumpy()
    labels = label_components(
        np.concatenate([links["record_no"], decided["left_no"]]),
        np.concatenate([values, decided["right_no"]]),
        record_count + value_count,
    )
    numbers = np.arange(record_count, dtype=np.int32)
    labelled = pa.table({"record_no": numbers, "component": labels[:record_count]})
    connection.register("identity_labels", labelled)
    connection.execute(
        "create or replace temp table identity_partition as select * from identity_labels"
    )
    connection.unregister("identity_labels")
    return Graph(record_count, len(links["record_no"]), value_hash, blocked_condition(declaration))


def _number_nodes(
    connection: "duckdb.DuckDBPyConnection", sources: Sources, declaration: Declaration
) -> str:
    """Write the nodes, facts and links, free of hash collisions, guard rails applied.

    Returns the expression that numbers the values of the evidence.
    """
    load_types(connection, declaration)
    for salt in ("", "#", "##", "###"):
        told_name = name_key_sql("coalesce(name, hint)")
        words = {
            "records": sources.records,
            "evidence": sources.evidence,
            "owners": sources.owners,
            "name_key": name_key_sql("name"),
            "told_name": told_name,
            "is_full_name": full_name_sql(told_name),
            "is_blocked_name": blocked_name_condition(declaration, told_name),
            "node_hash": _NODE_HASH.format(salt=f"'{salt}'"),
            "value_hash": _VALUE_HASH.format(salt=f"'{salt}'"),
            "usable": f"not {blocked_condition(declaration)}",
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
    for statement in (_LIST_FACTS, *_NAME_VALUES, _LIST_OWNERS):
        connection.execute(statement.format(**words))
    for kind, pairs in (("must", sources.must_links), ("cannot", sources.cannot_links)):
        connection.execute(_NUMBER_PAIRS.format(kind=kind, pairs=pairs))
    find_hubs(connection)
    connection.execute(_NUMBER_VALUES)
    connection.execute(_JOIN_LINKS)
    return words["value_hash"]


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
