-- Grain: one row per local month and staff_id who worked in it or is spoken of.
-- Why: 40/30/30: results, users and process of a month, and where that puts everybody.
with
    totals as (
        select *, round(short_score, 6) as score
        from {{ ref("int_assessment_totals") }}
        where period_kind = 'month'
    )

select
    totals.period as month,
    totals.staff_id,
    totals.tenure_stage,
    {{ assessment_columns("totals") }},
    totals.score,
    totals.short_coverage as coverage,
    -- equals share a place, and the next place is left out
    case
        when totals.score is not null
        then
            rank() over (
                partition by totals.period order by totals.score desc nulls last
            )
    end as score_rank,
    case
        when totals.score is not null
        then
            rank() over (
                partition by totals.period, totals.dealer_code
                order by totals.score desc nulls last
            )
    end as store_rank,
    round(totals.score - earlier.score, 6) as score_change,
    stability.rank_stability
from totals
left join
    totals as earlier
    on earlier.staff_id = totals.staff_id
    and earlier.period = cast(totals.period - interval '1' month as date)
left join
    {{ ref("int_assessment_stability") }} as stability
    on stability.period = totals.period
    and stability.dealer_code = totals.dealer_code
