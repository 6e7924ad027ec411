-- Grain: one row per known person and moment of reading, liking or sharing content.
-- Why: on our own surfaces a reader is somebody; posts elsewhere only have counts.
select
    one_id,
    occurred_at,
    {{ local_date("occurred_at") }} as date,
    count(*) filter (where event = 'view_content') as views
from {{ ref("int_events") }}
where
    event in ('view_content', 'like_content', 'share_content')
    and one_id is not null
    and occurred_at is not null
group by one_id, occurred_at, {{ local_date("occurred_at") }}
