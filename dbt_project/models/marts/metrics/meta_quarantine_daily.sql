-- Grain: one row per local date of loading, source, entity, file and reason.
-- Why: what was set aside and why, in numbers; the rows stay in the quarantine.
with
    reasons as (
        select delivery_id, reason, level, rule, rows, replayed_rows
        from {{ source("meta", "quarantine") }}
        union all
        -- decided once persons are known: the rows are in the raw zone and have no
        -- effect
        select
            delivery_id,
            'several persons share the value' as reason,
            'row' as level,
            'shared_value' as rule,
            rows_refused as rows,
            0 as replayed_rows
        from {{ ref("int_manual_tags__refused") }}
    )

select
    {{ local_date("deliveries.loaded_at") }} as date,
    deliveries.source,
    deliveries.entity,
    deliveries.file,
    reasons.reason,
    -- a reason has one level and rule, unless two happen to be worded alike
    min(reasons.level) as level,
    min(reasons.rule) as rule,
    cast(sum(reasons.rows) as bigint) as rows,
    cast(sum(reasons.replayed_rows) as bigint) as rows_replayed
from reasons
inner join
    {{ source("meta", "deliveries") }} as deliveries
    on deliveries.delivery_id = reasons.delivery_id
group by
    {{ local_date("deliveries.loaded_at") }},
    deliveries.source,
    deliveries.entity,
    deliveries.file,
    reasons.reason
