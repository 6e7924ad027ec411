-- Grain: one row per valid response: a survey that was answered with a score of 0 to
-- 10.
select
    survey_id,
    one_id,
    survey_kind,
    dealer_code,
    region,
    staff_id,
    recommend_score >= 9 as is_promoter,
    recommend_score <= 6 as is_detractor,
    submitted_at,
    {{ local_month("submitted_at") }} as month
from {{ ref("int_surveys") }}
where submitted_at is not null and recommend_score between 0 and 10
