"""What was not linked and why: refused links, and values that several persons share.

All of it is told anew from what identity_state holds of every record, for it is little.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading
    from zhongtai.runs import Run

# A hub is told as a star: each record that names it against the one whose key comes first.
_LIST_HUB_LINKS = (
    """
create or replace temp table identity_dropped as
select f.record_no, f.value_hash, f.type_no, 'hub' as reason
from {facts} as f
semi join identity_state.hubs using (value_hash)
anti join identity_state.kept using (value_hash, record_no)
union all
select f.record_no, f.value_hash, f.type_no, 'too_many_values'
from {facts} as f
semi join identity_state.overfull using (value_hash, record_no)
anti join identity_state.hubs using (value_hash)
""",
    """
create or replace temp table identity_rivals as
select f.value_hash, f.record_no
from {facts} as f
semi join identity_dropped using (value_hash)
""",
    # the first two: one of them is another record than the one in hand
    """
create or replace temp table identity_centres as
select r.value_hash, r.record_no, n.source, n.entity, n.record_key
from identity_rivals as r
inner join (
    select * from identity_state.nodes semi join identity_rivals using (record_no)
) as n using (record_no)
qualify row_number() over (
    partition by r.value_hash order by n.source, n.entity, n.record_key
) <= 2
""",
    """
create or replace temp table identity_hub_links as
select d.value_hash, d.record_no as right_no, c.record_no as left_no, d.type_no, d.reason
from identity_dropped as d
inner join identity_centres as c on d.value_hash = c.value_hash and d.record_no <> c.record_no
qualify row_number() over (
    partition by d.record_no, d.value_hash order by c.source, c.entity, c.record_key
) = 1
""",
)

_KEEP_ALL = "create or replace table identity_state.hub_links as select * from identity_hub_links"

# What is dropped of a value changes only where somebody who names it does.
_TOUCHED_FACTS = """(
    select * from identity_holders semi join identity_touched_values using (value_hash)
    where not needs_name
)"""
_KEEP_TOUCHED = (
    """
delete from identity_state.hub_links
where value_hash in (select value_hash from identity_touched_values)
""",
    "insert into identity_state.hub_links select * from identity_hub_links",
)

# Few records refuse a link, and only those are looked up.
_LIST_ENDS = """
create or replace temp table identity_ends as
with ends as (
    select left_no as record_no from identity_state.refusals
    union
    select right_no from identity_state.refusals
    union
    select left_no from identity_state.hub_links
    union
    select right_no from identity_state.hub_links
    union
    select record_no from identity_state.kept
)
select
    n.record_no,
    n.source,
    n.entity,
    n.record_key,
    p.component,
    row_number() over (order by n.source, n.entity, n.record_key) as place,
from (select * from identity_state.nodes semi join ends using (record_no)) as n
inner join (select * from identity_state.partition semi join ends using (record_no)) as p
    using (record_no)
"""

# Both ends are looked up before they are compared: with the comparison in the same statement the
# engine compares every record with every other.
_PLACE_REFUSED = """
create or replace temp table identity_refused_pairs as
with refused as (
    select
        left_no,
        right_no,
        type_no,
        case when is_successive and reason like 'different_%' then 'recycled' else reason end
            as reason,
    from identity_state.refusals
    union all
    select left_no, right_no, type_no, reason from identity_state.hub_links
)
select
    least(l.place, r.place) as place,
    greatest(l.place, r.place) as other_place,
    l.component <> r.component as is_apart,
    t.identifier_type,
    x.reason,
from refused as x
inner join identity_ends as l on x.left_no = l.record_no
inner join identity_ends as r on x.right_no = r.record_no
inner join identity_types as t using (type_no)
"""

_PLACE_HOUSEHOLDS = """
create or replace temp table identity_household_pairs as
select x.value_hash, l.component, r.component as other_component
from identity_state.refusals as x
inner join identity_ends as l on x.left_no = l.record_no
inner join identity_ends as r on x.right_no = r.record_no
where not x.is_successive and not x.is_by_hint and x.reason like 'different_%'
"""

# A pair is told once, the smaller key first.
_WRITE_REFUSED = """
create or replace table identity.refused_links as
select
    l.source,
    l.entity,
    l.record_key,
    r.source as other_source,
    r.entity as other_entity,
    r.record_key as other_record_key,
    x.identifier_type,
    x.reason,
    $run_id::varchar as run_id,
from (
    select distinct place, other_place, identifier_type, reason
    from identity_refused_pairs
    where is_apart
) as x
inner join identity_ends as l using (place)
inner join identity_ends as r on x.other_place = r.place
"""

_WRITE_SHARED = """
create or replace table identity.shared_values as
with shared as (
    select value_hash, 'hub' as sharing, over_limit, holders from identity_state.hubs
    union all
    select value_hash, 'household', null, count(*) + 1
    from identity_household_pairs
    -- what they have in common beside may have made them one person after all
    where component <> other_component
    group by value_hash
)
select
    n.identifier_type,
    n.identifier_scope,
    n.identifier_value,
    s.sharing,
    s.over_limit,
    s.holders,
from shared as s
inner join identity_state.named_values as n using (value_hash)
where n.identifier_value is not null
union all
select distinct
    identifier_type,
    identifier_scope,
    identifier_value,
    'blocked',
    null,
    null,
from identity_state.blocked
"""

_WRITE_KEPT = """
create or replace table identity.kept_evidence as
select distinct n.source, n.entity, n.record_key, v.identifier_type, v.identifier_value
from identity_state.kept as k
inner join identity_ends as n using (record_no)
inner join identity_state.named_values as v using (value_hash)
where v.identifier_value is not null
"""

_LIST_UNNAMED = """
create or replace temp table identity_unnamed_values as
select value_hash from identity_state.hubs
union
select value_hash from identity_state.refusals
except
select value_hash from identity_state.named_values
"""

# Only values that are shared are looked up in the evidence, and only once. What is not found there
# is a value joined with a name, and has none itself.
_NAME_SHARED = """
insert into identity_state.named_values
with found as (
    select distinct {value_hash} as value_hash, identifier_type, identifier_scope, identifier_value
    from {evidence}
    where {value_hash} in (select value_hash from identity_unnamed_values)
)
select value_hash, identifier_type, identifier_scope, identifier_value
from identity_unnamed_values
left join found using (value_hash)
"""

_FORGET_UNSHARED = """
delete from identity_state.named_values
where
    value_hash not in (
        select value_hash from identity_state.hubs
        union all
        select value_hash from identity_state.refusals
    )
"""


def keep_hub_links(connection: "duckdb.DuckDBPyConnection", *, of_all: bool) -> None:
    """Keep what hubs and records with too many values do not link, of all values or touched ones.

    Reads identity_facts, or identity_holders and identity_touched_values.
    """
    facts = "identity_facts" if of_all else _TOUCHED_FACTS
    for statement in _LIST_HUB_LINKS:
        connection.execute(statement.format(facts=facts))
    for statement in (_KEEP_ALL,) if of_all else _KEEP_TOUCHED:
        connection.execute(statement)


def write_refusals(connection: "duckdb.DuckDBPyConnection", reading: "Reading", run: "Run") -> None:
    """Write identity.refused_links, shared_values and kept_evidence of all records."""
    connection.execute(_LIST_ENDS)
    connection.execute(_PLACE_REFUSED)
    connection.execute(_PLACE_HOUSEHOLDS)
    connection.execute(_WRITE_REFUSED, {"run_id": run.run_id})
    connection.execute(_LIST_UNNAMED)
    connection.execute(_FORGET_UNSHARED)
    if connection.execute("select 1 from identity_unnamed_values limit 1").fetchone():
        reading.execute(connection, _NAME_SHARED)
    connection.execute(_WRITE_SHARED)
    connection.execute(_WRITE_KEPT)
