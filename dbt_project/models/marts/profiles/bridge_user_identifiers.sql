-- Grain: one row per identifier value and person.
-- Finds the person behind a phone, an openid or a customer number. An identifier that
-- its owner took back is not among them.
select
    e.identifier_type,
    e.identifier_scope,
    e.identifier_value,
    m.one_id,
    not max(e.is_edge) as is_shared,
    min(e.first_seen_at) as first_seen_at,
    max(e.last_seen_at) as last_seen_at,
    count(distinct concat_ws('|', e.source, e.entity, e.record_key)) as record_count
from {{ ref("int_identity_evidence") }} as e
inner join
    {{ ref("bridge_user_records") }} as m
    on e.source = m.source
    and e.entity = m.entity
    and e.record_key = m.record_key
where e.is_edge or e.reason not in ('unbound', 'placeholder', 'account_switch')
group by e.identifier_type, e.identifier_scope, e.identifier_value, m.one_id
