-- Grain: one row per person: where they stand at as-of.
select s.one_id, s.lifecycle_stage, p.nurture_pool, p.lead_tier
from {{ ref("int_users__stage_history") }} as s
inner join
    {{ ref("int_users__pool_history") }} as p
    on s.one_id = p.one_id
    and p.valid_to is null
where s.valid_to is null
