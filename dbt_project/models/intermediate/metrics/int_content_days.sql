-- Grain: one row per post and day of its statistics: what the post gained since the
-- day before.
{%- set counters = ["views", "likes", "saves", "comments", "shares", "followers"] %}
{%- set days = "partition by post_id order by stat_on, _delivery_order, _row_number, stat_date" %}
with
    delivered as (
        select
            post_id,
            stat_date,
            stat_on,
            staff_id,
            platform,
            series_code,
            {%- for counter in counters %}
                -- a count below nothing is no count
                case when {{ counter }} >= 0 then {{ counter }} end as {{ counter }},
            {%- endfor %}
            _delivery_order,
            _row_number
        from {{ ref("stg_workforce__content_posts") }}
        where stat_on is not null
    ),

    numbered as (
        select
            *,
            {%- for counter in counters %}
                count({{ counter }}) over ({{ days }}) as {{ counter }}_known
                {{- "," if not loop.last }}
            {%- endfor %}
        from delivered
    ),

    -- a day that does not tell a count has the one last known
    known as (
        select
            post_id,
            stat_date,
            stat_on,
            staff_id,
            platform,
            series_code,
            _delivery_order,
            _row_number,
            {%- for counter in counters %}
                max({{ counter }}) over (
                    partition by post_id, {{ counter }}_known
                ) as {{ counter }}
                {{- "," if not loop.last }}
            {%- endfor %}
        from numbered
    )

select
    post_id,
    stat_date,
    stat_on as date,
    staff_id,
    platform,
    series_code,
    {%- for counter in counters %}
        greatest(
            coalesce({{ counter }}, 0)
            - coalesce(lag({{ counter }}) over ({{ days }}), 0),
            0
        ) as {{ counter }}
        {{- "," if not loop.last }}
    {%- endfor %}
from known
