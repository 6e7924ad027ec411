"""What is known of each cluster that has a full name: what matching compares, and what it minds.

Written of the clusters in hand: identity_nodes, identity_facts and identity_partition hold whole
clusters, all of them or those that changes touch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading

# The record whose key comes first names its cluster, whatever numbers it was given this time.
_PLACE_CLUSTERS = """
create or replace temp table identity_clusters as
with names as (
    select p.component, n.name, count(*) as uses
    from identity_nodes as n
    inner join identity_partition as p using (record_no)
    where n.is_full_name and n.is_own_name
    group by p.component, n.name
    qualify row_number() over (partition by p.component order by count(*) desc, n.name) = 1
),
keyed as (
    select
        p.component,
        min(n.source || chr(31) || n.entity || chr(31) || n.record_key) as cluster_key,
    from identity_nodes as n
    inner join identity_partition as p using (record_no)
    semi join names on p.component = names.component
    group by p.component
)
select component, cluster_key, name
from keyed
inner join names using (component)
"""

_PLACE_RECORDS = """
create or replace temp table identity_clustered as
select n.node_hash, n.record_no, p.component
from identity_nodes as n
inner join identity_partition as p using (record_no)
semi join identity_clusters as c on p.component = c.component
"""

# Numbers that are nobody's own say nothing about who this is.
_LIST_KNOWN = """
create or replace temp table identity_known as
select c.component, a.attribute, a.value, count(*) as uses
from (select {node_hash} as node_hash, attribute, value from {attributes}) as a
inner join identity_clustered as c using (node_hash)
group by c.component, a.attribute, a.value
union all
select c.component, 'mobile', e.identifier_value, count(*)
from (
    select {node_hash} as node_hash, {value_hash} as value_hash, identifier_value
    from {evidence}
    where identifier_type = 'mobile' and not {blocked}
) as e
inner join identity_clustered as c using (node_hash)
where e.value_hash not in (select value_hash from identity_state.hubs)
group by c.component, e.identifier_value
"""

# What a person has one of keeps clusters apart, however alike they are.
_SEPARATE = """
create or replace temp table identity_separations as
select distinct
    c.component,
    t.identifier_type || ':' || f.scope_hash::varchar as attribute,
    f.value_hash as value,
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_clustered as c using (record_no)
where t.max_values = 1
union
select distinct c.component, 'verified_mobile', f.value_hash
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_clustered as c using (record_no)
where f.is_verified and t.identifier_type = 'mobile'
"""

# What tells namesakes apart: what a person has one of, and the days of birth that are told.
_LIST_TRAITS = """
create or replace temp table identity_traits as
select component, attribute, value from identity_separations
union
select component, attribute, hash(value) from identity_known where attribute = 'birth_date'
"""

_DESCRIBE = """
create or replace temp table identity_new_described as
with best as (
    select component, attribute, value
    from identity_known
    where attribute in ('gender', 'birth_date', 'province', 'city', 'address')
    qualify row_number() over (
        partition by component, attribute order by uses desc, value
    ) = 1
),
single as (
    select
        component,
        max(value) filter (attribute = 'gender') as gender,
        try_cast(max(value) filter (attribute = 'birth_date') as date) as birth_date,
        max(value) filter (attribute = 'province') as province,
        max(value) filter (attribute = 'city') as city,
        max(value) filter (attribute = 'address') as address,
    from best
    group by component
),
several as (
    select
        component,
        list_sort(list(value) filter (attribute in ('mobile', 'masked_mobile'))) as mobiles,
        list_sort(list(value) filter (attribute = 'dealer_code')) as dealer_codes,
    from identity_known
    where attribute in ('mobile', 'masked_mobile', 'dealer_code')
    group by component
)
select
    c.component,
    c.cluster_key,
    c.name,
    v.mobiles,
    s.birth_date,
    s.gender,
    s.province,
    s.city,
    v.dealer_codes,
    s.address,
    false as has_namesakes,
from identity_clusters as c
left join single as s using (component)
left join several as v using (component)
"""

_KEEP_ALL = (
    "create or replace table identity_state.separations as select * from identity_separations",
    "create or replace table identity_state.traits as select * from identity_traits",
    "create or replace table identity_state.described as select * from identity_new_described",
    """
create or replace temp table identity_names as
select distinct name from identity_state.described
""",
)

_KEEP_TOUCHED = (
    """
create or replace temp table identity_former as
select component, cluster_key, name
from identity_state.described
semi join identity_dissolved using (component)
""",
    """
create or replace temp table identity_names as
select name from identity_former
union
select name from identity_new_described
""",
    *(
        f"delete from identity_state.{table}"  # noqa: S608  # names of our own
        " where component in (select component from identity_dissolved)"
        for table in ("separations", "traits", "described")
    ),
    "insert into identity_state.separations by name select * from identity_separations",
    "insert into identity_state.traits by name select * from identity_traits",
    "insert into identity_state.described by name select * from identity_new_described",
)

# How many persons of one name there are at least. Names that belong to several persons tell less
# than their frequency says, be it known or not. Only names of the clusters in hand are looked at.
_FIND_NAMESAKES = (
    """
create or replace temp table identity_namesakes as
with named as (
    select d.component, d.name
    from identity_state.described as d
    semi join identity_names using (name)
)
select distinct name
from (
    select distinct n.name, t.attribute, t.value
    from identity_state.traits as t
    inner join named as n using (component)
)
group by name, attribute
having count(*) > 1
""",
    """
create or replace temp table identity_renamed as
select d.component, not d.has_namesakes as has_namesakes
from identity_state.described as d
semi join identity_names using (name)
where d.has_namesakes <> (d.name in (select name from identity_namesakes))
""",
    """
update identity_state.described as d
set has_namesakes = r.has_namesakes
from identity_renamed as r
where d.component = r.component
""",
)


def describe_clusters(
    connection: "duckdb.DuckDBPyConnection", reading: "Reading", *, of_all: bool
) -> None:
    """Bring described, separations and traits of schema identity_state up to date.

    Reads identity_nodes, identity_facts and identity_partition; unless `of_all` these are of the
    touched records only, and identity_dissolved says which clusters are no more: identity_former
    (component, cluster_key, name) then tells who these were. Writes identity_new_described, and
    identity_renamed (component): who has namesakes now or no longer.
    """
    for statement in (
        _PLACE_CLUSTERS,
        _PLACE_RECORDS,
        _LIST_KNOWN,
        _SEPARATE,
        _LIST_TRAITS,
        _DESCRIBE,
    ):
        reading.execute(connection, statement)
    for statement in (*(_KEEP_ALL if of_all else _KEEP_TOUCHED), *_FIND_NAMESAKES):
        connection.execute(statement)
