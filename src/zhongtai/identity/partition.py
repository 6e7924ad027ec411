"""Who belongs together, as it is kept: components, clusters, persons; and what of it moves.

Of each record identity_state.partition says `raw`, the component of all that evidence joins,
`settled`, its cluster once contradictions are settled, and `component`, its person after matching.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# What linked a record: its strongest identifier that another record of the cluster shares; within
# a component that nothing contradicts that is every link.
_FIND_LINKED = """
create or replace temp table identity_linked as
with made as (
    select l.record_no, l.type_no, l.first_seen_at
    from identity_links as l
    anti join identity_suspect_nodes as s using (record_no)
    union all
    select l.record_no, l.type_no, l.first_seen_at
    from identity_links as l
    semi join identity_suspect_nodes as s using (record_no)
    inner join identity_partition as p using (record_no)
    qualify count(*) over (partition by l.value_no, p.component) > 1
)
select
    record_no,
    min(type_no) as type_no,
    arg_min(first_seen_at, (type_no, first_seen_at)) as linked_at,
from made
group by record_no
"""

_PARTITION = """
select
    p.record_no,
    p.raw,
    p.component as settled,
    p.component,
    l.type_no as linked_type,
    l.linked_at,
from identity_partition as p
left join identity_linked as l using (record_no)
"""

_KEEP_ALL = (
    f"create or replace table identity_state.partition as {_PARTITION}",
    "create or replace table identity_state.refusals as select * from identity_refusals",
    "create or replace table identity_state.overfull as select * from identity_overfull",
    "create or replace table identity_state.hubs as select * from identity_hubs",
    "create or replace table identity_state.kept as select * from identity_kept",
    "create or replace table identity_state.groups (component integer, joined_to integer)",
    """
create or replace table identity_state.named_values (
    value_hash ubigint, identifier_type varchar, identifier_scope varchar, identifier_value varchar
)
""",
)

_KEEP_TOUCHED = (
    """
create or replace temp table identity_replaced as
select record_no from identity_touched
union
select record_no from identity_changed
""",
    """
create or replace temp table identity_before as
select record_no, component from identity_parted
""",
    """
delete from identity_state.partition
where record_no in (select record_no from identity_parted)
""",
    f"create or replace temp table identity_entered as {_PARTITION}",
    "insert into identity_state.partition by name select * from identity_entered",
    # both records of a refusal are of one component
    """
delete from identity_state.refusals
where left_no in (select record_no from identity_replaced)
""",
    "insert into identity_state.refusals by name select * from identity_refusals",
    """
delete from identity_state.overfull
where record_no in (select record_no from identity_replaced)
""",
    "insert into identity_state.overfull by name select * from identity_overfull",
    "alter table identity_nodes rename to identity_touched_nodes",
    "alter table identity_facts rename to identity_touched_facts",
)

_SEE_ALL = (
    "create or replace temp view identity_hubs as select * from identity_state.hubs",
    """
create or replace temp view identity_everyone as
select n.*, p.component, p.linked_type, p.linked_at
from identity_state.nodes as n
inner join identity_state.partition as p using (record_no)
""",
)

_REGROUP_ALL = (
    "create or replace table identity_state.groups as select * from identity_matched",
    """
update identity_state.partition as p
set component = m.joined_to
from identity_matched as m
where p.settled = m.component and p.component <> m.joined_to
""",
)

_LIST_REGROUPED = """
create or replace temp table identity_regrouped as
select component as settled
from (
    (select * from identity_matched except select * from identity_state.groups)
    union all
    (select * from identity_state.groups except select * from identity_matched)
)
"""

_LIST_MOVED = """
create or replace temp table identity_moved as
select
    p.record_no,
    coalesce(m.joined_to, p.settled) as component,
    p.component as former,
from {entered} as p
left join identity_matched as m on p.settled = m.component
"""

# Clusters that were matched with others than now, although nobody of them was touched.
_LIST_OTHERS = """
create or replace temp table identity_others as
select p.record_no, p.settled, p.component
from identity_state.partition as p
semi join identity_regrouped using (settled)
anti join identity_entered using (record_no)
"""

_NO_OTHERS = """
create or replace temp table identity_others (
    record_no integer, settled integer, component integer
)
"""

_MOVE = (
    "insert into identity_before select record_no, component from identity_others",
    """
update identity_state.partition as p
set component = m.component
from (select * from identity_moved where component <> former) as m
where p.record_no = m.record_no
""",
    "create or replace table identity_state.groups as select * from identity_matched",
)

# Whole persons, as they were and as they are. Whoever is not touched is of such a person only
# where matching made it of several clusters.
_LIST_SCOPE = (
    """
create or replace temp table identity_scope as
select
    record_no,
    m.component,
    e.linked_type,
    e.linked_at,
from identity_entered as e
inner join identity_moved as m using (record_no)
""",
    """
create or replace temp table identity_concerned as
with concerned as (
    select component from identity_before
    union
    select component from identity_moved
)
select component
from concerned
where
    component in (select joined_to from identity_state.groups)
    or component in (select component from identity_others)
    or component in (
        select component from identity_moved semi join identity_others using (record_no)
    )
""",
)

_WIDEN_SCOPE = (
    """
insert into identity_scope by name
select p.record_no, p.component, p.linked_type, p.linked_at
from identity_state.partition as p
semi join identity_concerned using (component)
anti join identity_entered using (record_no)
""",
    """
insert into identity_before
select record_no, component
from identity_scope
anti join identity_moved using (record_no)
""",
)

_PLACE = (
    """
create or replace temp table identity_placed as
select n.*, p.component, p.linked_type, p.linked_at
from {nodes} as n
inner join identity_scope as p using (record_no)
""",
    # who is still there is placed: nobody leaves a person without it being looked at
    """
create or replace temp table identity_formerly as
select n.source, n.entity, n.record_key, b.component
from identity_before as b
inner join identity_placed as n using (record_no)
union all
select n.source, n.entity, n.record_key, b.component
from identity_before as b
inner join identity_old_nodes as n using (record_no)
anti join identity_placed as p using (record_no)
""",
)

_ALL_NODES = """(
    select * from identity_touched_nodes
    union all
    select n.*
    from identity_state.nodes as n
    semi join identity_scope using (record_no)
    anti join identity_touched_nodes using (record_no)
)"""


def keep_all(connection: "duckdb.DuckDBPyConnection") -> None:
    """Keep what was resolved of all records."""
    for statement in (_FIND_LINKED, *_KEEP_ALL):
        connection.execute(statement)


def keep_touched(connection: "duckdb.DuckDBPyConnection") -> None:
    """Keep what was resolved of the touched records.

    Writes identity_before (record_no, component), what was of them, identity_entered, what is, and
    identity_touched_nodes and identity_touched_facts.
    """
    for statement in (_FIND_LINKED, *_KEEP_TOUCHED):
        connection.execute(statement)


def see_all(connection: "duckdb.DuckDBPyConnection") -> None:
    """Let what follows read all records, resolved now or before; writes identity_everyone."""
    for statement in _SEE_ALL:
        connection.execute(statement)


def regroup_all(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make persons of the clusters of identity_matched; writes identity_placed, all records."""
    for statement in _REGROUP_ALL:
        connection.execute(statement)
    connection.execute(
        "create or replace temp view identity_placed as select * from identity_everyone"
    )


def regroup_touched(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make persons of the clusters of identity_matched, as far as they are others than before.

    Writes identity_placed, all records of persons that may be others now, identity_before
    (record_no, component) and identity_formerly: the records of persons that may have been others.
    """
    connection.execute(_LIST_REGROUPED)
    entered = "identity_entered"
    if _holds(connection, "identity_regrouped"):
        connection.execute(_LIST_OTHERS)
        entered = f"(from {entered} union all by name from identity_others)"
    else:
        connection.execute(_NO_OTHERS)
    connection.execute(_LIST_MOVED.format(entered=entered))
    for statement in (*_MOVE, *_LIST_SCOPE):
        connection.execute(statement)
    nodes = "identity_touched_nodes"
    if _holds(connection, "identity_concerned"):
        nodes = _ALL_NODES
        for statement in _WIDEN_SCOPE:
            connection.execute(statement)
    for statement in _PLACE:
        connection.execute(statement.format(nodes=nodes))


def _holds(connection: "duckdb.DuckDBPyConnection", table: str) -> bool:
    return connection.execute(f"select 1 from {table} limit 1").fetchone() is not None  # noqa: S608
