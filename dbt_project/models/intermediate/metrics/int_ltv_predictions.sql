-- Grain: one row per cohort: local month of the first delivery and region.
-- Why: value at 36 months, and whether last year's prediction of this year held.
with
    owners as (
        select
            buyer_key,
            {{ local_month("delivered_at") }} as month,
            {{ key_text("region") }} as region,
            {{ month_number(as_of()) }}
            - {{ month_number("delivered_at") }} as elapsed_months
        from {{ ref("int_car_sales") }}
        where car_number = 1
    ),

    cohorts as (
        select month, region, elapsed_months, count(*) as owners
        from owners
        group by month, region, elapsed_months
    ),

    brought as (
        select
            owners.month,
            owners.region,
            cast(
                coalesce(
                    sum(margins.margin_fen) filter (
                        where margins.age_months < least(owners.elapsed_months, 36)
                    ),
                    0
                ) as bigint
            ) as realised_fen,
            cast(
                coalesce(
                    sum(margins.margin_fen) filter (
                        where
                            margins.age_months >= owners.elapsed_months - 12
                            and margins.age_months < least(owners.elapsed_months, 36)
                    ),
                    0
                ) as bigint
            ) as last_year_fen
        from owners
        inner join
            {{ ref("int_customer_margins") }} as margins
            on margins.buyer_key = owners.buyer_key
            and margins.stream <> 'commission'
        group by owners.month, owners.region
    ),

    -- months to come at as-of, and the year to come a year before
    expected as (
        select
            cohorts.month,
            cohorts.region,
            ages.shift_months,
            count(*) as months,
            sum(ages.mean_millifen) as mean_millifen,
            sum(ages.variance) as variance
        from cohorts
        inner join
            {{ ref("int_ltv_ages") }} as ages
            on ages.age_months >= cohorts.elapsed_months - ages.shift_months
            and (ages.shift_months = 0 or ages.age_months < cohorts.elapsed_months)
        group by cohorts.month, cohorts.region, ages.shift_months
    ),

    joined as (
        select
            cohorts.*,
            coalesce(brought.realised_fen, 0) as realised_fen,
            coalesce(brought.last_year_fen, 0) as last_year_fen,
            case
                when cohorts.elapsed_months >= 36
                then 0
                when coming.months = 36 - greatest(cohorts.elapsed_months, 0)
                then cast(cohorts.owners * coming.mean_millifen as double) / 1000
            end as coming_fen,
            case
                when cohorts.elapsed_months >= 36
                then 0
                when coming.months = 36 - greatest(cohorts.elapsed_months, 0)
                then sqrt(cohorts.owners * cast(coming.variance as double))
            end as coming_deviation,
            case
                when
                    cohorts.elapsed_months between 12 and 47
                    and past.months
                    = least(cohorts.elapsed_months, 36) - (cohorts.elapsed_months - 12)
                then cast(cohorts.owners * past.mean_millifen as double) / 1000
            end as past_fen,
            sqrt(cohorts.owners * cast(past.variance as double)) as past_deviation
        from cohorts
        left join
            brought on brought.month = cohorts.month and brought.region = cohorts.region
        left join
            expected as coming
            on coming.month = cohorts.month
            and coming.region = cohorts.region
            and coming.shift_months = 0
        left join
            expected as past
            on past.month = cohorts.month
            and past.region = cohorts.region
            and past.shift_months = 12
    )

select
    month,
    region,
    cast(round(realised_fen + coming_fen) as bigint) as predicted_fen,
    -- 80 % of a normal distribution lie within 1.2816 deviations
    cast(
        round(realised_fen + coming_fen - 1.2816 * coming_deviation) as bigint
    ) as predicted_low_fen,
    cast(
        round(realised_fen + coming_fen + 1.2816 * coming_deviation) as bigint
    ) as predicted_high_fen,
    past_fen is not null as is_tested,
    past_fen is not null
    and abs(last_year_fen - past_fen) <= 1.2816 * past_deviation + 0.5 as is_within
from joined
