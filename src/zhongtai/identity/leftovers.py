"""Matching what strong evidence left apart: clusters compared by name, place, birth and more.

One row per cluster that has a full name goes to `zhongtai.identity.matching`; what it joins and no
single-valued identifier contradicts becomes one person, what it doubts goes to review.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zhongtai.identity.declaration import Declaration
from zhongtai.identity.review_pairs import create_review_pairs, write_review_pairs

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading, Sources


@dataclass(frozen=True)
class MatchReport:
    """Pairs that were compared, clusters that were joined, and pairs left to people by reason."""

    compared: int = 0
    joined: int = 0
    undecided: dict[str, int] = field(default_factory=dict)


# The record whose key comes first names its cluster, whatever numbers it was given this time.
_PLACE_CLUSTERS = """
create or replace temp table identity_clusters as
with keyed as (
    select
        p.component,
        min(n.source || chr(31) || n.entity || chr(31) || n.record_key) as cluster_key,
    from identity_nodes as n
    inner join identity_partition as p using (record_no)
    group by p.component
),
names as (
    select p.component, n.name, count(*) as uses
    from identity_nodes as n
    inner join identity_partition as p using (record_no)
    where n.is_full_name and n.is_own_name
    group by p.component, n.name
    qualify row_number() over (partition by p.component order by count(*) desc, n.name) = 1
)
select component, cluster_key, name
from keyed
inner join names using (component)
"""

_LIST_ATTRIBUTES = """
create or replace temp table identity_known as
select c.cluster_key, a.attribute, a.value, count(*) as uses
from {attributes} as a
inner join identity_nodes as n using (source, entity, record_key)
inner join identity_partition as p using (record_no)
inner join identity_clusters as c using (component)
group by c.cluster_key, a.attribute, a.value
"""

# Numbers that are nobody's own say nothing about who this is.
_LIST_MOBILES = """
insert into identity_known
select c.cluster_key, 'mobile', e.identifier_value, count(*)
from {evidence} as e
inner join identity_nodes as n using (source, entity, record_key)
inner join identity_partition as p using (record_no)
inner join identity_clusters as c using (component)
where
    e.identifier_type = 'mobile'
    and not {blocked}
    and {value_hash} not in (select value_hash from identity_hubs)
group by c.cluster_key, e.identifier_value
"""

# How many persons of one name there are at least, by what a person has one of. Names that belong to
# several persons tell less than their frequency says, be it known or not.
_COUNT_NAMESAKES = """
create or replace temp table identity_namesakes as
with traits as (
    select c.name, s.attribute, s.value
    from identity_separations as s
    inner join identity_clusters as c on s.key = c.cluster_key
    union
    select c.name, k.attribute, hash(k.value)
    from identity_known as k
    inner join identity_clusters as c using (cluster_key)
    where k.attribute = 'birth_date'
)
select distinct name
from traits
group by name, attribute
having count(*) > 1
"""

_DESCRIBE = """
create or replace temp table identity_described as
with best as (
    select cluster_key, attribute, value
    from identity_known
    where attribute in ('gender', 'birth_date', 'province', 'city', 'address')
    qualify row_number() over (
        partition by cluster_key, attribute order by uses desc, value
    ) = 1
),
single as (
    select
        cluster_key,
        max(value) filter (attribute = 'gender') as gender,
        try_cast(max(value) filter (attribute = 'birth_date') as date) as birth_date,
        max(value) filter (attribute = 'province') as province,
        max(value) filter (attribute = 'city') as city,
        max(value) filter (attribute = 'address') as address,
    from best
    group by cluster_key
),
several as (
    select
        cluster_key,
        list_sort(list(value) filter (attribute in ('mobile', 'masked_mobile'))) as mobiles,
        list_sort(list(value) filter (attribute = 'dealer_code')) as dealer_codes,
    from identity_known
    where attribute in ('mobile', 'masked_mobile', 'dealer_code')
    group by cluster_key
)
select
    c.cluster_key,
    c.name,
    v.mobiles,
    s.birth_date,
    s.gender,
    s.province,
    s.city,
    v.dealer_codes,
    s.address,
    c.name in (select name from identity_namesakes) as has_namesakes,
from identity_clusters as c
left join single as s using (cluster_key)
left join several as v using (cluster_key)
"""

# What a person has one of keeps clusters apart, however alike they are.
_SEPARATE = """
create or replace temp table identity_separations as
select distinct
    c.cluster_key as key,
    t.identifier_type || ':' || f.scope_hash::varchar as attribute,
    f.value_hash as value,
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_partition as p using (record_no)
inner join identity_clusters as c using (component)
where t.max_values = 1
union
select distinct c.cluster_key, 'verified_mobile', f.value_hash
from identity_facts as f
inner join identity_types as t using (type_no)
inner join identity_partition as p using (record_no)
inner join identity_clusters as c using (component)
where f.is_verified and t.identifier_type = 'mobile'
"""

_TOLD_APART = """
create or replace temp table identity_told_apart as
select l.cluster_key as left_key, r.cluster_key as right_key
from identity_cannot_links as d
inner join identity_partition as lp on d.left_no = lp.record_no
inner join identity_partition as rp on d.right_no = rp.record_no
inner join identity_clusters as l on lp.component = l.component
inner join identity_clusters as r on rp.component = r.component
where l.component <> r.component
"""

_JOIN = """
create or replace temp table identity_matched as
select c.component, g.component as joined_to
from matching_groups as m
inner join identity_clusters as c on m.row_key = c.cluster_key
inner join identity_clusters as g on m.group_key = g.cluster_key
"""

_NOTHING = "create or replace temp table identity_matched (component integer, joined_to integer)"


def match_leftovers(
    connection: "duckdb.DuckDBPyConnection",
    sources: "Sources",
    declaration: Declaration,
    reading: "Reading",
) -> MatchReport:
    """Find clusters of identity_partition that are one person by all that is known of them.

    Does nothing where `sources` has no attributes or the declaration no matching. Writes
    identity_matched (component, joined_to) and identity.review_pairs.
    """
    connection.execute("create schema if not exists identity")
    if sources.attributes is None or declaration.matching is None:
        connection.execute(_NOTHING)
        create_review_pairs(connection)
        return MatchReport()
    from zhongtai.identity import matching

    task, model = declaration.matching
    for statement in (
        _PLACE_CLUSTERS,
        _LIST_ATTRIBUTES,
        _LIST_MOBILES,
        _SEPARATE,
        _COUNT_NAMESAKES,
        _DESCRIBE,
        _TOLD_APART,
    ):
        reading.execute(connection, statement)
    scored = matching.score_pairs(connection, "identity_described", task, model)
    separations = matching.Separations("identity_separations", "identity_told_apart")
    linked = matching.link(connection, task, separations=separations)
    connection.execute(_JOIN)
    write_review_pairs(connection, task)
    return MatchReport(scored.compared, linked.joined, linked.undecided)
