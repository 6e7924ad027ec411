-- Grain: one row per person: when and where seen.
select
    m.one_id,
    min(r.first_seen_at) as first_seen_at,
    max(r.last_seen_at) as last_seen_at,
    count(distinct m.source) as source_count,
    count(*) as record_count
from {{ ref("bridge_user_records") }} as m
left join
    {{ ref("int_identity_records") }} as r
    on m.source = r.source
    and m.entity = r.entity
    and m.record_key = r.record_key
group by m.one_id
