-- Grain: one row per local year and staff_id who worked in it or is spoken of.
-- Why: over a year users and process weigh more than results; the reading of months
-- stands beside.
with
    totals as (
        select *, round(long_score, 6) as score
        from {{ ref("int_assessment_totals") }}
        where period_kind = 'year'
    )

select
    cast(extract(year from totals.period) as integer) as year,
    totals.staff_id,
    totals.tenure_stage,
    {{ assessment_columns("totals") }},
    totals.score,
    totals.long_coverage as coverage,
    round(totals.short_score, 6) as score_short,
    totals.short_coverage as coverage_short,
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
    round(totals.score - earlier.score, 6) as score_change
from totals
left join
    totals as earlier
    on earlier.staff_id = totals.staff_id
    and earlier.period = cast(totals.period - interval '1' year as date)
