-- Grain: one row per local month, staff_id and item of the assessment that was valid
-- then.
-- Why: how each point of a score came about; the points of a row of
-- metrics_assessment_monthly add up to it.
select
    scores.period as month,
    scores.staff_id,
    scores.dimension,
    scores.item,
    cast(scores.num as double) as item_num,
    cast(scores.den as double) as item_den,
    scores.value,
    scores.basis,
    scores.target,
    scores.attainment,
    scores.peers,
    scores.item_score,
    scores.share as item_share,
    cast(weights.weight as double) as dimension_weight,
    cast(weights.weight as double) * scores.share * scores.item_score as points
from {{ ref("int_assessment_scores") }} as scores
left join
    {{ ref("assessment_weights") }} as weights
    on weights.dimension = scores.dimension
    and weights.parameter_set = 'short'
    and {{ is_valid_in("weights", "scores.period") }}
where scores.period_kind = 'month'
