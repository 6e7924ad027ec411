-- Grain: one row per person who was there in the 30 local dates up to a date of
-- scoring.
with
    dates as (select distinct date from {{ ref("int_users__score_dates") }}),

    signs as (
        select
            dates.date,
            days.one_id,
            days.series_code,
            days.views,
            days.clicks,
            days.comparisons,
            days.inquiries,
            case
                when {{ dbt.datediff("days.date", "dates.date", "day") }} < 7
                then days.date
            end as recent_date
        from dates
        inner join
            {{ ref("int_users__sign_days") }} as days
            on days.date <= dates.date
            and days.date > cast(dates.date - interval '30' day as date)
    ),

    -- the rule asks for views and click of one series
    rule_series as (
        select date, one_id
        from signs
        where series_code <> ''
        group by date, one_id, series_code
        having sum(views) > 10 and sum(clicks) > 0
    ),

    fulfilled as (
        select date, one_id, count(*) as rule_series_30d
        from rule_series
        group by date, one_id
    ),

    counted as (
        select
            date,
            one_id,
            sum(views) as views_30d,
            sum(comparisons) as comparisons_30d,
            sum(clicks) as finance_clicks_30d,
            sum(inquiries) as inquiries_30d,
            count(distinct recent_date) as active_days_7d
        from signs
        group by date, one_id
    )

select counted.*, coalesce(fulfilled.rule_series_30d, 0) as rule_series_30d
from counted
left join
    fulfilled on fulfilled.date = counted.date and fulfilled.one_id = counted.one_id
