"""What differs from the last resolution: records, owners of values, decisions.

A record has changed when anything differs that is read of it; its fingerprint tells. The tables of
schema `identity_state` are brought up to date in place, and what they held of the changed records
is kept in temp tables, for both what was and what is decides whom a change touches.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.evidence import (
    Reading,
    fact_columns,
    list_fingerprints,
    list_owners,
    node_columns,
    number_pairs,
)

if TYPE_CHECKING:
    import duckdb

_FIND_CHANGED = """
create or replace temp table identity_changed as
with differing as (
    select
        coalesce(f.node_hash, o.node_hash) as node_hash,
        o.node_hash is null as is_new,
        f.node_hash is null as is_gone,
    from identity_found as f
    full join identity_state.fingerprints as o using (node_hash)
    where f.fingerprint is distinct from o.fingerprint
),
placed as (
    select d.*, n.record_no
    from differing as d
    left join identity_state.nodes as n using (node_hash)
)
select
    node_hash,
    is_new,
    is_gone,
    coalesce(
        record_no,
        (select coalesce(max(record_no), -1) from identity_state.nodes)
        + row_number() over (partition by is_new)
    )::integer as record_no,
from placed
"""

_KEEP_OLD = (
    """
create or replace temp table identity_old_nodes as
select * from identity_state.nodes semi join identity_changed using (record_no)
""",
    """
create or replace temp table identity_old_facts as
select * from identity_state.facts semi join identity_changed using (record_no)
""",
)

# Found by their hash first: what is costly is done with the changed records alone.
_READ_NODES = """
create or replace temp table identity_new_nodes as
select record_no, node_hash, {node}
from (
    select c.record_no, r.*, {told_name} as told
    from (select *, {node_hash} as node_hash from {records}) as r
    inner join identity_changed as c using (node_hash)
)
"""

_READ_EVIDENCE = """
create or replace temp table identity_new_evidence as
select c.record_no, e.*
from (select *, {node_hash} as node_hash from {evidence}) as e
inner join identity_changed as c using (node_hash)
where not c.is_gone
"""

_READ_FACTS = """
create or replace temp table identity_new_facts as
select record_no, {fact}
from identity_new_evidence
inner join identity_types using (identifier_type)
where not {blocked}
"""

_READ_BLOCKED = """
insert into identity_state.blocked
select record_no, identifier_type, identifier_scope, identifier_value
from identity_new_evidence
where {blocked}
"""

_REPLACE = (
    """
delete from identity_state.blocked where record_no in (select record_no from identity_changed)
""",
    """
delete from identity_state.nodes where record_no in (select record_no from identity_old_nodes)
""",
    "insert into identity_state.nodes by name select * from identity_new_nodes",
    """
delete from identity_state.facts where record_no in (select record_no from identity_old_nodes)
""",
    "insert into identity_state.facts by name select * exclude (node_hash) from identity_new_facts",
    """
delete from identity_state.fingerprints
where node_hash in (select node_hash from identity_changed)
""",
    """
insert into identity_state.fingerprints
select f.* from identity_found as f semi join identity_changed using (node_hash)
""",
)

# Two keys with one hash, among what is new or between that and what was there.
_COUNT_COLLISIONS = """
select
    (select count(*) from identity_found where record_count > 1)
    + (
        select count(*)
        from identity_old_nodes as o
        inner join identity_new_nodes as n using (node_hash)
        where (o.source, o.entity, o.record_key) <> (n.source, n.entity, n.record_key)
    )
    + (
        select count(*)
        from (
            select f.value_hash
            from identity_state.facts as f
            semi join identity_new_facts as n using (value_hash)
            group by f.value_hash
            having min(f.check_hash) <> max(f.check_hash)
        )
    )
"""

_COMPARE_OWNERS = """
create or replace temp table identity_changed_owners as
select value_hash
from (
    (select * from identity_now_owners except select * from identity_state.owners)
    union all
    (select * from identity_state.owners except select * from identity_now_owners)
)
"""

_COMPARE_PAIRS = """
create or replace temp table identity_decided_anew as
with differing as (
    (select * from identity_now_must_links except select * from identity_state.must_links)
    union all
    (select * from identity_state.must_links except select * from identity_now_must_links)
    union all
    (select * from identity_now_cannot_links except select * from identity_state.cannot_links)
    union all
    (select * from identity_state.cannot_links except select * from identity_now_cannot_links)
)
select left_no as record_no from differing
union
select right_no from differing
"""


@dataclass(frozen=True)
class Changes:
    """How many records changed, of how many; `collisions` of hashes need a full resolution."""

    records: int
    changed: int
    collisions: int = 0


def find_changes(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> Changes:
    """Compare the sources with what is kept; writes identity_changed (record_no, node_hash, …)."""
    list_fingerprints(connection, reading, "temp table identity_found")
    connection.execute(_FIND_CHANGED)
    return Changes(_count(connection, "identity_found"), _count(connection, "identity_changed"))


def apply_changes(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> int:
    """Bring nodes, facts, owners and decisions of schema identity_state up to date.

    Writes identity_old_nodes, identity_old_facts, identity_new_nodes, identity_new_facts,
    identity_changed_owners and identity_decided_anew. Returns the number of hash collisions: where
    there are any, what was written is not to be used.
    """
    for statement in _KEEP_OLD:
        connection.execute(statement)
    node = node_columns(reading)
    reading.execute(connection, _READ_NODES, node=node)
    reading.execute(connection, _READ_EVIDENCE)
    reading.execute(connection, _READ_FACTS, fact=fact_columns(reading))
    for statement in _REPLACE:
        connection.execute(statement)
    reading.execute(connection, _READ_BLOCKED)
    row = connection.execute(_COUNT_COLLISIONS).fetchone()
    _compare_links(connection, reading)
    return int(row[0]) if row else 0


def _compare_links(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> None:
    """Owners and decisions, which are few: listed again, compared and kept."""
    list_owners(connection, reading, "temp table identity_now_owners")
    connection.execute(_COMPARE_OWNERS)
    for kind in ("must", "cannot"):
        number_pairs(connection, reading, kind, f"temp table identity_now_{kind}_links")
    connection.execute(_COMPARE_PAIRS)
    for kind in ("owners", "must_links", "cannot_links"):
        connection.execute(
            f"create or replace table identity_state.{kind} as select * from identity_now_{kind}"  # noqa: S608
        )


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0
