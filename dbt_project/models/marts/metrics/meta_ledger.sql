-- Grain: one row per delivery, that is per complete file, repeated ones included.
-- Why: what arrived, and what became of every row of it. Hand-set tags on a value that
-- several persons share are known only now that persons are: they count as quarantined.
select
    deliveries.delivery_id,
    deliveries.source,
    deliveries.entity,
    deliveries.file,
    deliveries.sha256,
    deliveries.status,
    deliveries.reason,
    deliveries.rows_in,
    deliveries.rows_loaded - coalesce(refused.rows_refused, 0) as rows_loaded,
    deliveries.rows_quarantined + coalesce(refused.rows_refused, 0) as rows_quarantined,
    deliveries.rows_duplicate,
    deliveries.rows_suppressed,
    deliveries.exported_at,
    deliveries.loaded_at,
    deliveries.run_id
from {{ source("meta", "deliveries") }} as deliveries
left join
    {{ ref("int_manual_tags__refused") }} as refused
    on refused.delivery_id = deliveries.delivery_id
