-- Grain: one row per delivery, that is per complete file, repeated ones included.
-- Why: what arrived, and what became of every row of it.
select
    delivery_id,
    source,
    entity,
    file,
    sha256,
    status,
    reason,
    rows_in,
    rows_loaded,
    rows_quarantined,
    rows_duplicate,
    rows_suppressed,
    exported_at,
    loaded_at,
    run_id
from {{ source("meta", "deliveries") }}
