-- Grain: one row per value of the past that a publish told otherwise than the one
-- before it.
-- Why: who noted a number must be able to see that it changed, when and why. Those of
-- this snapshot are added once all metrics are built and compared.
select
    restated_at,
    table_name,
    period,
    row_key,
    metric,
    old_value,
    new_value,
    cause,
    because,
    run_id
from {{ source("meta", "restatements") }}
