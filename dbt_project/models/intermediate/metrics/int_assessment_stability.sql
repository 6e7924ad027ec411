-- Grain: one row per local month and store: how far its order of scores is that of
-- the month before.
with
    scores as (
        select period, dealer_code, staff_id, round(short_score, 6) as score
        from {{ ref("int_assessment_totals") }}
        where period_kind = 'month' and short_score is not null and dealer_code <> ''
    ),

    kept as (
        select
            scores.period,
            scores.dealer_code,
            scores.staff_id,
            scores.score,
            earlier.score as earlier_score
        from scores
        inner join
            scores as earlier
            on earlier.staff_id = scores.staff_id
            and earlier.period = cast(scores.period - interval '1' month as date)
    ),

    pairs as (
        select
            one.period,
            one.dealer_code,
            sign(one.score - other.score) as now,
            sign(one.earlier_score - other.earlier_score) as before
        from kept as one
        inner join
            kept as other
            on other.period = one.period
            and other.dealer_code = one.dealer_code
            and other.staff_id > one.staff_id
    )

select
    period,
    dealer_code,
    -- Kendall's tau-b: 1 the same order, -1 the reverse; ties count for neither
    cast(sum(now * before) as double) / nullif(
        sqrt(
            cast(count(*) filter (where now <> 0) as double)
            * count(*) filter (where before <> 0)
        ),
        0
    ) as rank_stability
from pairs
group by period, dealer_code
