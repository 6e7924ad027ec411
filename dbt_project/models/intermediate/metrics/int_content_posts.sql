-- Grain: one row per post, as its earliest statistics tell it.
with
    ordered as (
        select
            post_id,
            staff_id,
            platform,
            series_code,
            min(posted_at) over (partition by post_id) as posted_at,
            stat_on,
            row_number() over (
                partition by post_id
                order by stat_on nulls last, _delivery_order, _row_number, stat_date
            ) as place
        from {{ ref("stg_workforce__content_posts") }}
    )

select
    post_id,
    staff_id,
    platform,
    series_code,
    posted_at,
    coalesce({{ local_date("posted_at") }}, stat_on) as posted_on
from ordered
where place = 1
