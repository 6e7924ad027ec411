-- Grain: one row per local date, pool, rating the day before, rating and region.
with
    steps as (
        select
            nurture_pool,
            tier_before as from_tier,
            tier,
            region,
            date_from as date,
            1 as step
        from {{ ref("int_users__pool_days") }}
        union all
        -- from the next day on the rating is what it was the day before
        select
            nurture_pool,
            tier_before,
            tier,
            region,
            cast(date_from + interval '1' day as date),
            -1
        from {{ ref("int_users__pool_days") }}
        where tier_before <> tier
        union all
        select
            nurture_pool,
            tier,
            tier,
            region,
            cast(date_from + interval '1' day as date),
            1
        from {{ ref("int_users__pool_days") }}
        where tier_before <> tier
        union all
        select nurture_pool, tier, tier, region, date_to, -1
        from {{ ref("int_users__pool_days") }}
    ),

    per_day as (
        select nurture_pool, from_tier, tier, region, date, sum(step) as step
        from steps
        group by nurture_pool, from_tier, tier, region, date
        having sum(step) <> 0
    ),

    sizes as (
        select
            *,
            sum(step) over (
                partition by nurture_pool, from_tier, tier, region
                order by date
                rows between unbounded preceding and current row
            ) as pool_size,
            lead(date) over (
                partition by nurture_pool, from_tier, tier, region order by date
            ) as next_date
        from per_day
    )

select
    dates.date,
    sizes.nurture_pool as pool,
    sizes.from_tier,
    sizes.tier as to_tier,
    sizes.region,
    sizes.pool_size
from sizes
inner join
    {{ ref("int_dates") }} as dates
    on dates.date >= sizes.date
    and dates.date <= {{ last_date() }}
    and (sizes.next_date is null or dates.date < sizes.next_date)
where sizes.pool_size > 0
