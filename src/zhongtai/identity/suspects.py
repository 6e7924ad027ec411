"""Finding the components that contradict themselves, and resolving only those again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from zhongtai.identity.clusters import Clusters, Rule, labels_of
from zhongtai.identity.declaration import VERIFIED_MOBILE, Declaration
from zhongtai.identity.settlement import Link, Refusal, settle

if TYPE_CHECKING:
    import duckdb

# Stands for "mobiles that an account proved to hold" among the numbers of the types.
VERIFIED = 255

_FIND_SUSPECTS = """
create or replace temp table identity_suspects as
with named as (
    select p.component
    from identity_partition as p
    inner join identity_nodes as n using (record_no)
    group by p.component
    having
        coalesce(
            min(n.name) filter (n.is_full_name) <> max(n.name) filter (n.is_full_name), false
        )
        or coalesce(min(n.birth_date) <> max(n.birth_date), false)
),
limited as (
    select distinct p.component
    from identity_facts as f
    inner join identity_types as t using (type_no)
    inner join identity_partition as p using (record_no)
    where t.max_values is not null or t.contradicts
    group by p.component, f.type_no, f.scope_hash, t.max_values, t.contradicts
    having
        min(f.value_hash) <> max(f.value_hash)
        and (
            t.max_values = 1
            or t.contradicts
            or (count(*) > t.max_values and count(distinct f.value_hash) > t.max_values)
        )
),
proven as (
    select p.component
    from identity_facts as f
    inner join identity_types as t using (type_no)
    inner join identity_partition as p using (record_no)
    where f.is_verified and t.identifier_type = 'mobile'
    group by p.component
    having min(f.value_hash) <> max(f.value_hash)
),
rested as (
    select l.record_no
    from identity_links as l
    inner join identity_types as t using (type_no)
    where t.window_days is not null
    qualify l.first_seen_at > max(l.last_seen_at) over (
        partition by l.value_no
        order by l.first_seen_at, l.last_seen_at
        rows between unbounded preceding and 1 preceding
    ) + to_days(t.window_days)
),
parted as (
    select l.component
    from identity_cannot_links as c
    inner join identity_partition as l on c.left_no = l.record_no
    inner join identity_partition as r on c.right_no = r.record_no
    where l.component = r.component
)
select component from named
union
select p.component
from identity_backups as b
inner join identity_links as l using (value_hash)
inner join identity_partition as p on b.record_no = p.record_no
inner join identity_partition as q on l.record_no = q.record_no
where l.is_verified and p.component = q.component
union
select component from limited
union
select component from proven
union
select p.component from rested inner join identity_partition as p using (record_no)
union
select component from parted
"""

# Suspect records in the order of their keys: everything after goes by this order.
_LIST_NODES = """
create or replace temp table identity_suspect_nodes as
select
    (row_number() over (order by n.source, n.entity, n.record_key) - 1)::integer as node,
    n.record_no,
    case when n.is_full_name then n.name end as name,
    n.is_own_name,
    epoch_ms(n.birth_date::timestamp) as birth_date,
from identity_nodes as n
inner join identity_partition as p using (record_no)
semi join identity_suspects as s using (component)
"""

_LIST_TRAITS = """
select s.node, f.type_no, f.scope_hash, f.value_hash
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_suspect_nodes as s using (record_no)
where t.max_values is not null or t.contradicts
union all
select s.node, {verified}, 0, f.value_hash
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_suspect_nodes as s using (record_no)
where f.is_verified and t.identifier_type = 'mobile'
"""

_LIST_LINKS = """
select
    s.node,
    l.type_no,
    l.value_hash,
    epoch_us(l.first_seen_at) as first_seen,
    epoch_us(l.last_seen_at) as last_seen,
    l.is_verified,
from identity_links as l
inner join identity_suspect_nodes as s using (record_no)
"""

_LIST_BACKUPS = """
select s.node, b.value_hash
from identity_backups as b
inner join identity_suspect_nodes as s using (record_no)
"""

# Whether anybody names a value as a backup does not depend on who else is a suspect.
_LIST_BACKED = """
select distinct l.value_hash
from identity_links as l
semi join identity_suspect_nodes as s using (record_no)
semi join identity_backed using (value_hash)
"""

_LIST_PAIRS = """
select l.node, r.node
from {pairs} as d
inner join identity_suspect_nodes as l on d.left_no = l.record_no
inner join identity_suspect_nodes as r on d.right_no = r.record_no
"""

# The record whose key comes first gives its number to its cluster.
_RELABEL = """
create or replace temp table identity_partition as
select p.record_no, p.component as raw, coalesce(s.root, p.component) as component
from identity_partition as p
left join identity_settled as s using (record_no)
"""


def settle_suspects(connection: "duckdb.DuckDBPyConnection", declaration: Declaration) -> int:
    """Resolve the components of identity_partition that contradict themselves again.

    Writes identity_partition anew (record_no, raw: its component before, component) and
    identity_refusals (left_no, right_no, type_no, value_hash, reason, is_successive, is_by_hint).
    Returns the number of records that were looked at again.
    """
    connection.execute(_FIND_SUSPECTS)
    connection.execute(_LIST_NODES)
    rules = rules_of(declaration)
    nodes = connection.execute(
        "select name, is_own_name, birth_date, record_no from identity_suspect_nodes order by node"
    ).to_arrow_table()
    clusters = Clusters(nodes.num_rows, rules, declaration.sound)
    _describe(connection, clusters, nodes)
    values = _read_links(connection, clusters)
    for left, right in connection.execute(
        _LIST_PAIRS.format(pairs="identity_must_links")
    ).fetchall():
        clusters.unite(left, right)
    refusals = settle(clusters, values, rules)
    _write(connection, clusters, nodes, refusals)
    return int(nodes.num_rows)


def rules_of(declaration: Declaration) -> Mapping[int, Rule]:
    """The rules of each type by its number."""
    numbers = {one.name: number for number, one in declaration.numbered()}
    numbers[VERIFIED_MOBILE] = VERIFIED
    rules = {
        number: Rule(
            one.name,
            one.max_values,
            one.window_days,
            one.contradicted_by,
            frozenset(numbers[name] for name in one.contradicted_by if name in numbers),
        )
        for number, one in declaration.numbered()
    }
    return rules | {VERIFIED: Rule(VERIFIED_MOBILE, None, None, frozenset(), frozenset())}


def _describe(connection: "duckdb.DuckDBPyConnection", clusters: Clusters, nodes: pa.Table) -> None:
    told = zip(nodes["name"].to_pylist(), nodes["is_own_name"].to_pylist(), strict=True)
    for node, (name, is_own) in enumerate(told):
        if name:
            clusters.give_name(node, name, is_own=is_own)
    for node, day in enumerate(nodes["birth_date"].to_pylist()):
        if day is not None:
            clusters.give_birth_date(node, day)
    traits = connection.execute(_LIST_TRAITS.format(verified=VERIFIED)).fetchnumpy()
    for node, type_no, scope, value in zip(
        *(traits[c].tolist() for c in ("node", "type_no", "scope_hash", "value_hash")), strict=True
    ):
        clusters.give_value(node, (type_no, scope), value)
    for node, value in connection.execute(_LIST_BACKUPS).fetchall():
        clusters.give_backup(node, value)
    for (value,) in connection.execute(_LIST_BACKED).fetchall():
        clusters.know_backup(value)
    for left, right in connection.execute(
        _LIST_PAIRS.format(pairs="identity_cannot_links")
    ).fetchall():
        clusters.keep_apart(left, right)


def _read_links(
    connection: "duckdb.DuckDBPyConnection", clusters: Clusters
) -> dict[tuple[int, int], list[Link]]:
    values: dict[tuple[int, int], list[Link]] = {}
    rows = connection.execute(_LIST_LINKS).to_arrow_table()
    for node, type_no, value, first, last, is_verified in zip(
        *(rows[c].to_pylist() for c in rows.column_names), strict=True
    ):
        values.setdefault((type_no, value), []).append(Link(node, first, last, is_verified))
        clusters.give_use(node, type_no, value)
    return values


def _write(
    connection: "duckdb.DuckDBPyConnection",
    clusters: Clusters,
    nodes: pa.Table,
    refusals: list[Refusal],
) -> None:
    record_of = nodes["record_no"].to_numpy()
    roots = np.asarray(labels_of(clusters, range(nodes.num_rows)), dtype=np.int64)
    settled = pa.table({"record_no": record_of, "root": record_of[roots]})
    refused = pa.table(
        {
            "left_no": pa.array([int(record_of[r.node]) for r in refusals], pa.int32()),
            "right_no": pa.array([int(record_of[r.other]) for r in refusals], pa.int32()),
            "type_no": pa.array([r.type_no for r in refusals], pa.uint8()),
            "value_hash": pa.array([r.value for r in refusals], pa.uint64()),
            "reason": pa.array([r.reason for r in refusals], pa.string()),
            "is_successive": pa.array([r.is_successive for r in refusals], pa.bool_()),
            "is_by_hint": pa.array([r.is_by_hint for r in refusals], pa.bool_()),
        }
    )
    connection.register("identity_settled", settled)
    connection.execute(_RELABEL)
    connection.unregister("identity_settled")
    connection.register("identity_refused", refused)
    connection.execute(
        "create or replace temp table identity_refusals as select * from identity_refused"
    )
    connection.unregister("identity_refused")
