-- Grain: one row per local date of loading, source, entity, file and reason.
-- Why: what was set aside and why, in numbers; the rows stay in the quarantine.
select
    {{ local_date("deliveries.loaded_at") }} as date,
    deliveries.source,
    deliveries.entity,
    deliveries.file,
    quarantine.reason,
    -- a reason has one level and rule, unless two happen to be worded alike
    min(quarantine.level) as level,
    min(quarantine.rule) as rule,
    cast(sum(quarantine.rows) as bigint) as rows,
    cast(sum(quarantine.replayed_rows) as bigint) as rows_replayed
from {{ source("meta", "quarantine") }} as quarantine
inner join
    {{ source("meta", "deliveries") }} as deliveries
    on deliveries.delivery_id = quarantine.delivery_id
group by
    {{ local_date("deliveries.loaded_at") }},
    deliveries.source,
    deliveries.entity,
    deliveries.file,
    quarantine.reason
