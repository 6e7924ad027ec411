-- Grain: one row per person who was there in the last 30 days and model in force.
-- Why: whom to turn to first, with the reasons, at as-of.
select
    scores.one_id,
    scores.model,
    scores.model_version,
    scores.score,
    bands.band,
    {{ as_of() }} as scored_at,
    scores.reasons
from {{ ref("int_users__scores") }} as scores
inner join
    {{ ref("int_users__score_bands") }} as bands
    on scores.score >= bands.at_least
    and (bands.less_than is null or scores.score < bands.less_than)
where scores.is_now
