-- Grain: one row per local month of the answer, survey_kind, dealer and staff_id.
-- Why: who would recommend us, and over how many answers that is said.
select
    month,
    {{ key_text("survey_kind") }} as survey_kind,
    {{ key_text("dealer_code") }} as dealer_code,
    {{ key_text("staff_id") }} as staff_id,
    count(*) filter (where is_promoter) as promoters,
    count(*) filter (where not is_promoter and not is_detractor) as passives,
    count(*) filter (where is_detractor) as detractors,
    {{
        nps(
            "count(*) filter (where is_promoter)",
            "count(*) filter (where is_detractor)",
            "count(*)",
        )
    }}
from {{ ref("int_survey_responses") }}
group by
    month,
    {{ key_text("survey_kind") }},
    {{ key_text("dealer_code") }},
    {{ key_text("staff_id") }}
