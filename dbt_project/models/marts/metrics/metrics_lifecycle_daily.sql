-- Grain: one row per local date, lifecycle stage and region with somebody in it.
-- Why: how many persons stand where, and how they move.
with
    moves as (
        select lifecycle_stage, region, date_from as date, 1 as entered, 0 as exited
        from {{ ref("int_users__stage_days") }}
        where is_entry
        union all
        select lifecycle_stage, region, date_to, 0, 1
        from {{ ref("int_users__stage_days") }}
        where is_exit
    ),

    per_day as (
        select
            lifecycle_stage,
            region,
            date,
            sum(entered) as entered,
            sum(exited) as exited
        from moves
        group by lifecycle_stage, region, date
    ),

    sizes as (
        select
            *,
            sum(entered - exited) over (
                partition by lifecycle_stage, region
                order by date
                rows between unbounded preceding and current row
            ) as users,
            lead(date) over (
                partition by lifecycle_stage, region order by date
            ) as next_date
        from per_day
    )

select
    dates.date,
    sizes.lifecycle_stage,
    sizes.region,
    cast(sizes.users as bigint) as users,
    cast(
        case when dates.date = sizes.date then sizes.entered else 0 end as bigint
    ) as users_entered,
    cast(
        case when dates.date = sizes.date then sizes.exited else 0 end as bigint
    ) as users_left
from sizes
inner join
    {{ ref("int_dates") }} as dates
    on dates.date >= sizes.date
    and dates.date <= {{ last_date() }}
    and (sizes.next_date is null or dates.date < sizes.next_date)
where sizes.users > 0 or dates.date = sizes.date
