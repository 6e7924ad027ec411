-- Grain: one row per local month with content touched in it or in the 30 days before.
-- Why: what content on our own surfaces brings, of readers who are known.
with
    months as (
        select distinct cast(date_trunc('month', date) as date) as month
        from {{ ref("int_dates") }}
        where date <= {{ local_date(as_of()) }}
    ),

    days as (select distinct date from {{ ref("int_content_touches") }}),

    -- a month's leads may follow what was read up to 30 days before it; which months
    -- ask for a day is found of days, not of touches
    reach as (
        select
            days.date,
            months.month,
            case when days.date >= months.month then 1 else 0 end as is_of_month
        from months
        inner join
            days
            on days.date >= cast(months.month - interval '30' day as date)
            and days.date < cast(months.month + interval '1' month as date)
    ),

    readers as (
        select
            reach.month,
            touches.one_id,
            sum(touches.views * reach.is_of_month) as views,
            max(reach.is_of_month) as is_of_month
        from {{ ref("int_content_touches") }} as touches
        inner join reach on reach.date = touches.date
        group by reach.month, touches.one_id
    ),

    followed as (
        select month, one_id, count(*) as leads
        from {{ ref("int_content_leads") }}
        group by month, one_id
    ),

    reached as (
        select
            readers.month,
            cast(sum(readers.views) as bigint) as content_views,
            cast(sum(readers.is_of_month) as bigint) as content_readers,
            cast(coalesce(sum(followed.leads), 0) as bigint) as content_leads,
            {{ ratio("content_lead_rate", "followed.one_id is not null", "true") }}
        from readers
        left join
            followed
            on followed.month = readers.month
            and followed.one_id = readers.one_id
        group by readers.month
    ),

    firsts as (
        select one_id, min(occurred_at) as touched_at
        from {{ ref("int_content_touches") }}
        group by one_id
    ),

    visited as (
        select
            firsts.one_id,
            firsts.touched_at,
            {{ local_month("firsts.touched_at") }} as month,
            {{ as_of() }} as as_of,
            min(visits.arrived_at) as arrived_at
        from firsts
        left join
            {{ ref("int_store_visits") }} as visits
            on visits.one_id = firsts.one_id
            and visits.arrived_at >= firsts.touched_at
        group by firsts.one_id, firsts.touched_at
    ),

    won as (
        select
            month,
            count(*) as content_readers_new,
            {{
                ratio(
                    "reader_to_visit_rate_90d",
                    in_window("arrived_at", "touched_at", 90),
                    is_mature("touched_at", 90),
                )
            }}
        from visited
        group by month
    )

select
    reached.month,
    reached.content_views,
    reached.content_readers,
    coalesce(won.content_readers_new, 0) as content_readers_new,
    reached.content_leads,
    reached.content_lead_rate_num,
    reached.content_lead_rate_den,
    reached.content_lead_rate,
    coalesce(won.reader_to_visit_rate_90d_num, 0) as reader_to_visit_rate_90d_num,
    coalesce(won.reader_to_visit_rate_90d_den, 0) as reader_to_visit_rate_90d_den,
    won.reader_to_visit_rate_90d
from reached
left join won on won.month = reached.month
