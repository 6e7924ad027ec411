-- Grain: one row per person and period of local dates at whose ends they were in one
-- stage and region.
with
    dated as (
        select one_id, lifecycle_stage, {{ day_period("valid_from", "valid_to") }}
        from {{ ref("int_users__stage_history") }}
    ),

    -- before the first dealing, and without any, a person belongs to no region
    regions as (
        select one_id, region, date_from, date_to
        from {{ ref("int_users__regions") }}
        union all
        select one_id, '', date '1900-01-01', min(date_from)
        from {{ ref("int_users__regions") }}
        group by one_id
    ),

    pieces as (
        select
            dated.one_id,
            dated.lifecycle_stage,
            coalesce(regions.region, '') as region,
            greatest(
                dated.date_from, coalesce(regions.date_from, dated.date_from)
            ) as date_from,
            least(dated.date_to, coalesce(regions.date_to, dated.date_to)) as date_to
        from dated
        left join
            regions
            on regions.one_id = dated.one_id
            and regions.date_from < dated.date_to
            -- an "or" over both sides would compare everybody with everybody
            and coalesce(regions.date_to, date '9999-12-31') > dated.date_from
        where dated.date_from < dated.date_to
    ),

    neighbours as (
        select
            *,
            lag(concat_ws('|', lifecycle_stage, region)) over (
                partition by one_id order by date_from
            ) as before,
            lead(concat_ws('|', lifecycle_stage, region)) over (
                partition by one_id order by date_from
            ) as after
        from pieces
    )

select
    one_id,
    lifecycle_stage,
    region,
    date_from,
    date_to,
    coalesce(before <> concat_ws('|', lifecycle_stage, region), true) as is_entry,
    coalesce(after <> concat_ws('|', lifecycle_stage, region), false) as is_exit
from neighbours
