-- Grain: one row per local month and staff_id with owners: how many, and how many
-- were active.
with
    owners as (
        select one_id, staff_id, {{ local_month("delivered_at") }} as month
        from {{ ref("int_owners") }}
        where one_id is not null and staff_id is not null
    ),

    gained as (
        select month, staff_id, count(*) as owners from owners group by month, staff_id
    ),

    months as (
        select distinct cast(date_trunc('month', date) as date) as month
        from {{ ref("int_dates") }}
        where date <= {{ local_date(as_of()) }}
    ),

    since as (select staff_id, min(month) as month from gained group by staff_id),

    standing as (
        select
            months.month,
            since.staff_id,
            sum(coalesce(gained.owners, 0)) over (
                partition by since.staff_id order by months.month
            ) as owners
        from since
        inner join months on months.month >= since.month
        left join
            gained on gained.staff_id = since.staff_id and gained.month = months.month
    ),

    active as (
        select
            {{ local_month("events.occurred_at") }} as month,
            owners.staff_id,
            count(distinct owners.one_id) as active_owners
        from {{ ref("int_events") }} as events
        inner join
            owners
            on owners.one_id = events.one_id
            and owners.month <= {{ local_month("events.occurred_at") }}
        where events.event in ('community_post', 'join_activity')
        group by {{ local_month("events.occurred_at") }}, owners.staff_id
    )

select
    standing.month,
    standing.staff_id,
    standing.owners,
    coalesce(active.active_owners, 0) as active_owners
from standing
left join
    active on active.month = standing.month and active.staff_id = standing.staff_id
