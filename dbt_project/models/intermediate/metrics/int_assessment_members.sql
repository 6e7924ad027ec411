-- Grain: one row per period_kind (month, year), period and staff_id assessed in it.
-- Why: who worked in a period is assessed, with or without anything done.
with
    spoken_of as (
        select distinct period as month, staff_id
        from {{ ref("int_assessment_entries") }}
        where period_kind = 'month'
    ),

    months as (
        select distinct cast(date_trunc('month', date) as date) as month
        from {{ ref("int_dates") }}
        where
            date >= (select min(month) from spoken_of)
            and date <= {{ local_date(as_of()) }}
    ),

    monthly as (
        select months.month, staff.staff_id
        from months
        inner join
            {{ ref("stg_workforce__staff") }} as staff
            on (
                staff.hired_on is null
                or cast(date_trunc('month', staff.hired_on) as date) <= months.month
            )
            and (staff.left_on is null or staff.left_on >= months.month)
        union
        select month, staff_id
        from spoken_of
    ),

    periods as (
        select
            'month' as period_kind,
            month as period,
            cast(month + interval '1' month as date) as ends_on,
            staff_id,
            1 as months
        from monthly
        union all
        select
            'year',
            cast(date_trunc('year', month) as date),
            cast(date_trunc('year', month) + interval '1' year as date),
            staff_id,
            count(*)
        from monthly
        group by
            cast(date_trunc('year', month) as date),
            cast(date_trunc('year', month) + interval '1' year as date),
            staff_id
    ),

    placed as (
        select
            periods.*,
            staff.role,
            staff.dealer_code,
            {{
                full_months(
                    "staff.hired_on",
                    "least(cast(periods.ends_on - interval '1' day as date), "
                    ~ local_date(as_of())
                    ~ ")",
                )
            }} as tenure_months
        from periods
        left join
            {{ ref("stg_workforce__staff") }} as staff
            on staff.staff_id = periods.staff_id
    )

select
    placed.period_kind,
    placed.period,
    placed.staff_id,
    placed.months,
    placed.role,
    coalesce(placed.dealer_code, '') as dealer_code,
    coalesce(stages.stage, '') as tenure_stage
from placed
left join
    {{ ref("tenure_stages") }} as stages
    -- what is told of somebody before the day of hire belongs to the first stage
    on (placed.tenure_months >= stages.months_from or stages.months_from = 0)
    and (
        placed.tenure_months < stages.months_below
        or stages.months_below is null
        and placed.tenure_months is not null
    )
