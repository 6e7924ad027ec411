-- Grain: one row per metric: a measure column, or a ratio with its two parts.
-- Why: one place that says what a number means and who answers for it.
select
    metric,
    table_name as "table",
    column_name as "column",
    definition,
    numerator,
    denominator,
    unit,
    owner
from {{ ref("metric_catalogue") }}
