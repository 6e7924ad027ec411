-- Grain: one row per local date, staff_id (the author) and platform.
-- Why: what each author's posts gained on a day, which cumulative exports do not say.
{%- set counters = ["views", "likes", "saves", "comments", "shares", "followers"] %}
with
    days as (
        select date, staff_id, platform, 0 as content_posts, {{ counters | join(", ") }}
        from {{ ref("int_content_days") }}
        union all
        select posted_on, staff_id, platform, 1, 0, 0, 0, 0, 0, 0
        from {{ ref("int_content_posts") }}
        where posted_on is not null
    )

select
    date,
    {{ key_text("staff_id") }} as staff_id,
    {{ key_text("platform") }} as platform,
    cast(sum(content_posts) as bigint) as content_posts,
    {%- for counter in counters %}
        cast(sum({{ counter }}) as bigint) as {{ counter }} {{- "," if not loop.last }}
    {%- endfor %}
from days
group by date, {{ key_text("staff_id") }}, {{ key_text("platform") }}
