"""What the published map keeps so that it can be explained: evidence and refusals by person.

Values are masked. Whether two are the same tells a hash with a salt that nobody keeps, so that no
list of phone numbers can be tried on it. Sorted by person, so that one person is read at once.
"""

from typing import TYPE_CHECKING

from zhongtai.identity.guards import blocked_name_condition
from zhongtai.identity.names import full_name_sql, name_key_sql
from zhongtai.masks import mask_sql

if TYPE_CHECKING:
    from zhongtai.identity.declaration import Declaration

# A value that somebody names as a backup links, with a full name, records that agree on both.
_EVIDENCE = """
with types as (
    select * from (values {types}) as t (identifier_type, is_edge, max_values, keeps_newest)
),
told as (
    select
        *,
        md5_number_upper(concat_ws(
            chr(31), '{salt}', identifier_type, identifier_scope, identifier_value
        )) as value_key,
    from intermediate.int_identity_evidence
),
shared as (
    select
        identifier_type,
        identifier_scope,
        identifier_value,
        bool_or(sharing = 'hub') as is_hub,
        bool_or(sharing = 'blocked') as is_blocked,
    from identity.shared_values
    group by identifier_type, identifier_scope, identifier_value
),
kept as (
    select distinct
        source, entity, record_key, identifier_type, identifier_value, true as is_kept
    from identity.kept_evidence
),
usable as (
    select told.*, t.max_values, t.keeps_newest
    from told
    inner join types as t using (identifier_type)
    left join shared as s using (identifier_type, identifier_scope, identifier_value)
    where told.is_edge and t.max_values > 1 and not coalesce(s.is_blocked, false)
),
crowded as (
    -- a hash is enough to leave out nearly all: the records are counted once more below
    select hash(source, entity, record_key) as record_hash, identifier_type
    from usable
    group by record_hash, identifier_type
    having count(*) > any_value(max_values)
),
overfull as (
    select u.source, u.entity, u.record_key, u.value_key, true as is_overfull
    from usable as u
    inner join crowded as c
        on hash(u.source, u.entity, u.record_key) = c.record_hash
        and u.identifier_type = c.identifier_type
    qualify
        count(*) over (partition by u.source, u.entity, u.record_key, u.identifier_type)
        > u.max_values
        and (
            not u.keeps_newest
            or row_number() over (
                partition by u.source, u.entity, u.record_key, u.identifier_type
                order by u.last_seen_at desc nulls last, u.value_key
            ) > u.max_values
        )
),
backups as (
    select distinct value_key from told where reason = 'backup_phone'
),
named as (
    select
        t.source,
        t.entity,
        t.record_key,
        t.value_key,
        max(md5_number_upper(concat_ws(chr(31), '{salt}', t.value_key, {name}))) as named_key,
    from told as t
    semi join backups using (value_key)
    inner join intermediate.int_identity_records as r using (source, entity, record_key)
    where {is_full_name} and not {is_blocked_name} and (t.is_edge or t.reason = 'backup_phone')
    group by t.source, t.entity, t.record_key, t.value_key
)
select
    m.one_id,
    m.source,
    m.entity,
    m.record_key,
    m.linked_by,
    m.linked_at,
    m.valid_from,
    e.identifier_type,
    e.identifier_scope,
    {masked} as masked,
    e.value_key,
    n.named_key,
    e.first_seen_at,
    e.last_seen_at,
    e.record_count,
    e.is_verified,
    case
        when e.identifier_type is null then null
        when s.is_blocked then 'blocked'
        when not coalesce(t.is_edge, false) then 'type_not_linking'
        when not e.is_edge then coalesce(e.reason, 'no_edge')
        when s.is_hub and k.is_kept is null then 'hub'
        when o.is_overfull then 'too_many_values'
        else 'link'
    end as standing,
from identity.record_map as m
left join told as e using (source, entity, record_key)
left join types as t using (identifier_type)
left join shared as s using (identifier_type, identifier_scope, identifier_value)
left join kept as k
    using (source, entity, record_key, identifier_type, identifier_value)
left join overfull as o using (source, entity, record_key, value_key)
left join named as n using (source, entity, record_key, value_key)
order by m.one_id
"""

# Each refusal is found by either person.
_REFUSED = """
with placed as (
    select x.*, a.one_id, b.one_id as other_one_id
    from identity.refused_links as x
    inner join identity.record_map as a using (source, entity, record_key)
    inner join identity.record_map as b
        on x.other_source = b.source
        and x.other_entity = b.entity
        and x.other_record_key = b.record_key
)
select
    one_id, other_one_id, source, entity, record_key,
    other_source, other_entity, other_record_key, identifier_type, reason,
from placed
union all
select
    other_one_id, one_id, other_source, other_entity, other_record_key,
    source, entity, record_key, identifier_type, reason,
from placed
order by all
"""

_MATCHED = """
select m.one_id, p.*
from identity.matched_pairs as p
inner join identity.record_map as m using (source, entity, record_key)
order by all
"""


def trace_queries(declaration: "Declaration", salt: str) -> dict[str, str]:
    """The files of a published map beside the map itself: stem -> query over the working file."""
    name = name_key_sql("coalesce(r.name, r.hint)")
    types = ", ".join(
        f"('{one.name}', {one.is_edge}, {one.max_values or 'null'}::integer,"
        f" {one.over_limit == 'keep_newest'})"
        for one in declaration.types.values()
    )
    return {
        "evidence": _EVIDENCE.format(
            types=types,
            salt=salt,
            name=name,
            is_full_name=full_name_sql(name),
            is_blocked_name=blocked_name_condition(declaration, name),
            masked=mask_sql("e.identifier_value"),
        ),
        "refused_links": _REFUSED,
        "matched_pairs": _MATCHED,
    }
