-- Grain: one row per local month, staff_id and item of process (过程) with anything to
-- count.
with
    entries as (
        select
            {{ local_month("dispatched_at") }} as month,
            staff_id,
            'first_response_timely_rate' as item,
            cast(
                case when response_seconds <= 240 * 60 then 1 else 0 end as decimal(
                    28, 4
                )
            ) as num,
            cast(1 as decimal(28, 4)) as den
        from {{ ref("int_lead_responses") }}
        where staff_id is not null and elapsed_seconds >= 240 * 60
        union all
        select
            cast(date_trunc('month', posted_on) as date),
            staff_id,
            'content_posts',
            1,
            null
        from {{ ref("int_content_posts") }}
        where staff_id is not null and posted_on is not null
        union all
        select
            cast(date_trunc('month', date) as date),
            staff_id,
            'content_quality',
            likes + saves + comments + shares,
            views
        from {{ ref("int_content_days") }}
        where staff_id is not null
        union all
        select
            month,
            staff_id,
            'training_completion',
            training_completion_num,
            training_completion_den
        from {{ ref("int_training_months") }}
        where staff_id <> '' and training_completion_den > 0
        union all
        select month, staff_id, 'peer_score', weight * score, weight
        from {{ ref("int_peer_reviews") }}
        where staff_id is not null
    )

select
    month,
    staff_id,
    item,
    cast(sum(num) as decimal(28, 4)) as num,
    cast(sum(den) as decimal(28, 4)) as den
from entries
group by month, staff_id, item
