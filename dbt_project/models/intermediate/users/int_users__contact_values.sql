-- Grain: one row per record and mobile or e-mail of its person that the record names.
-- A hotline, or the phone of somebody who serves many, is nobody's own number; what a
-- family shares is.
with
    -- what a hub's number is may be a household's for some who hold it
    hubs as (
        select distinct identifier_type, identifier_scope, identifier_value
        from {{ source("identity", "shared_values") }}
        where sharing = 'hub'
    )

select
    i.one_id,
    e.identifier_type as attribute,
    e.identifier_value as value,
    e.source,
    e.entity,
    e.record_key,
    e.last_seen_at as observed_at,
    -- an event tells whether its number was confirmed, of others the seed says so
    case when e.entity = 'events' then e.is_verified end as is_verified,
    i.is_shared
from {{ ref("int_identity_evidence") }} as e
inner join
    {{ ref("bridge_user_records") }} as m
    on e.source = m.source
    and e.entity = m.entity
    and e.record_key = m.record_key
inner join
    {{ ref("bridge_user_identifiers") }} as i
    on e.identifier_type = i.identifier_type
    and e.identifier_scope = i.identifier_scope
    and e.identifier_value = i.identifier_value
    and m.one_id = i.one_id
left join
    hubs
    on e.identifier_type = hubs.identifier_type
    and e.identifier_scope = hubs.identifier_scope
    and e.identifier_value = hubs.identifier_value
where
    e.is_edge
    and e.identifier_type in ('mobile', 'email')
    and not (i.is_shared and hubs.identifier_value is not null)
