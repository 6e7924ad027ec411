-- Grain: one row per date, tag and value; the last run of a local date speaks for it.
-- A tag that nobody has keeps one row, value (none), so that its disappearance is seen;
-- so does a value that somebody had when the day began. Numbers, dates and shares are
-- not spread over values: they share the value (any).
with
    population as (select count(*) as persons from {{ ref("dim_users") }}),

    tags as (select * from {{ ref("dim_tags") }} where status = 'published'),

    per_value as (
        select
            tag_id,
            value,
            sum(persons * has_now) as users,
            sum(persons * has_now * (1 - had_before)) as entered,
            sum(persons * has_now * had_before) as stayed,
            sum(persons * had_before * (1 - has_now)) as left_behind
        from {{ ref("int_tag_counts") }}
        group by tag_id, value
    ),

    per_tag as (select * from {{ ref("int_tag_holders") }}),

    rows_of_today as (
        select tag_id, value
        from per_value
        union all
        select tags.tag_id, '(none)' as value
        from tags
        left join per_tag on per_tag.tag_id = tags.tag_id
        where coalesce(per_tag.users, 0) = 0
    ),

    today as (
        select
            {{ local_date(as_of()) }} as date,
            tags.tag_id,
            tags.tag_version,
            rows_of_today.value,
            cast(coalesce(per_value.users, 0) as bigint) as users,
            population.persons as user_share_den,
            cast(coalesce(per_tag.users, 0) as bigint) as coverage_num,
            cast(coalesce(per_value.entered, 0) as bigint) as users_entered,
            cast(coalesce(per_value.stayed, 0) as bigint) as users_stayed,
            cast(coalesce(per_value.left_behind, 0) as bigint) as users_left,
            cast(coalesce(per_tag.entered, 0) as bigint) as tag_entered,
            cast(coalesce(per_tag.stayed, 0) as bigint) as tag_stayed,
            cast(coalesce(per_tag.left_behind, 0) as bigint) as tag_left,
            cast(coalesce(per_tag.changed, 0) as bigint) as churn_num,
            cast(coalesce(per_tag.users_before, 0) as bigint) as churn_den,
            stability.stability_index,
            costs.seconds,
            costs.rows_scanned
        from rows_of_today
        inner join tags on tags.tag_id = rows_of_today.tag_id
        cross join population
        left join
            per_value
            on per_value.tag_id = rows_of_today.tag_id
            and per_value.value = rows_of_today.value
        left join per_tag on per_tag.tag_id = rows_of_today.tag_id
        left join
            {{ ref("int_tag_stability") }} as stability
            on stability.tag_id = rows_of_today.tag_id
        left join {{ source("tags", "costs") }} as costs on costs.tag_id = tags.tag_id
    ),

    days as (
        select *
        from today
        union all
        select
            days.date,
            days.tag_id,
            days.tag_version,
            days.value,
            days.users,
            days.user_share_den,
            days.coverage_num,
            days.users_entered,
            days.users_stayed,
            days.users_left,
            days.tag_entered,
            days.tag_stayed,
            days.tag_left,
            days.churn_num,
            days.churn_den,
            days.stability_index,
            days.seconds,
            days.rows_scanned
        from {{ source("tags", "days") }} as days
        inner join {{ ref("dim_tags") }} as listed on listed.tag_id = days.tag_id
        where
            days.date < {{ local_date(as_of()) }}
            and {{ dbt.datediff("days.date", local_date(as_of()), "day") }}
            <= listed.history_days
    )

select
    *,
    users as user_share_num,
    cast(users as double) / nullif(user_share_den, 0) as user_share,
    user_share_den as coverage_den,
    cast(coverage_num as double) / nullif(user_share_den, 0) as coverage,
    cast(churn_num as double) / nullif(churn_den, 0) as churn
from days
