-- Grain: one row per identifier value and person.
-- Finds the person behind a phone, an openid or a customer number. An identifier that
-- its owner took back is not among them.
with
    evidence as (
        select e.*, m.one_id
        from {{ ref("int_identity_evidence") }} as e
        inner join
            {{ ref("bridge_user_records") }} as m
            on e.source = m.source
            and e.entity = m.entity
            and e.record_key = m.record_key
        where
            e.is_edge
            or e.reason
            not in ('unbound', 'account_switch', 'several_accounts', 'typed_number')
    )

select
    e.identifier_type,
    e.identifier_scope,
    e.identifier_value,
    e.one_id,
    -- of a hub only who proved to hold it holds it
    not bool_or(
        e.is_edge and (s.identifier_value is null or k.record_key is not null)
    ) as is_shared,
    min(e.first_seen_at) as first_seen_at,
    max(e.last_seen_at) as last_seen_at,
    count(distinct concat_ws('|', e.source, e.entity, e.record_key)) as record_count
from evidence as e
left join
    {{ source("identity", "shared_values") }} as s
    on e.identifier_type = s.identifier_type
    and e.identifier_scope = s.identifier_scope
    and e.identifier_value = s.identifier_value
left join
    {{ source("identity", "kept_evidence") }} as k
    on e.source = k.source
    and e.entity = k.entity
    and e.record_key = k.record_key
    and e.identifier_type = k.identifier_type
    and e.identifier_value = k.identifier_value
where s.sharing is null or s.sharing <> 'blocked'
group by e.identifier_type, e.identifier_scope, e.identifier_value, e.one_id
