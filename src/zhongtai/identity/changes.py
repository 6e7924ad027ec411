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
    list_owners,
    node_columns,
    number_pairs,
)
from zhongtai.identity.fingerprints import find_differing, replace_fingerprints

if TYPE_CHECKING:
    import duckdb

_FIND_CHANGED = (
    """
create or replace temp table identity_old_nodes as
select record_no, node_hash, source, entity, record_key, name, is_full_name
from identity_state.nodes
semi join identity_differing using (node_hash)
""",
    """
create or replace temp table identity_changed as
select
    d.node_hash,
    d.former_records = 0 as is_new,
    d.records = 0 as is_gone,
    coalesce(
        o.record_no,
        (select coalesce(max(record_no), -1) from identity_state.nodes)
        + row_number() over (partition by d.former_records = 0)
    )::integer as record_no,
from identity_differing as d
left join identity_old_nodes as o using (node_hash)
where d.records > 0 or d.former_records > 0
""",
)

_COUNT_CHANGED = """
select
    (select count(*) from identity_state.nodes)
    + count(*) filter (is_new) - count(*) filter (is_gone),
    count(*),
from identity_changed
"""

_KEEP_OLD = """
create or replace temp table identity_old_facts as
select record_no, value_hash, needs_name
from identity_state.facts
semi join identity_old_nodes using (record_no)
"""

_READ_NODES = """
create or replace temp table identity_new_nodes as
select record_no, node_hash, {node}
from (
    select c.record_no, r.*, {told_name} as told
    from identity_found_records as r
    inner join identity_changed as c using (node_hash)
)
"""

_READ_EVIDENCE = """
create or replace temp table identity_new_evidence as
select c.record_no, e.*
from identity_found_evidence as e
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
)

# Two keys with one hash, among what is new or between that and what was there.
_COUNT_COLLISIONS = """
select
    (select count(*) from identity_differing where records > 1)
    + (
        select count(*)
        from identity_old_nodes as o
        inner join identity_new_nodes as n using (node_hash)
        where (o.source, o.entity, o.record_key) <> (n.source, n.entity, n.record_key)
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
    """How many records changed, of how many that there are now."""

    records: int
    changed: int


def find_changes(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> Changes:
    """Compare the sources with what is kept.

    Writes identity_changed (record_no, node_hash, is_new, is_gone) and identity_old_nodes.
    """
    find_differing(connection, reading)
    for statement in _FIND_CHANGED:
        connection.execute(statement)
    row = connection.execute(_COUNT_CHANGED).fetchone()
    return Changes(int(row[0]), int(row[1])) if row else Changes(0, 0)


def apply_changes(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> int:
    """Bring nodes, facts, owners and decisions of schema identity_state up to date.

    Writes identity_old_facts, identity_new_nodes, identity_new_facts, identity_changed_owners and
    identity_decided_anew. Returns the number of records whose keys share a hash: where there are
    any, what was written is not to be used.
    """
    connection.execute(_KEEP_OLD)
    node = node_columns(reading)
    reading.execute(connection, _READ_NODES, node=node)
    reading.execute(connection, _READ_EVIDENCE)
    reading.execute(connection, _READ_FACTS, fact=fact_columns(reading))
    for statement in _REPLACE:
        connection.execute(statement)
    reading.execute(connection, _READ_BLOCKED)
    replace_fingerprints(connection)
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
