-- Website traffic reduced to what it says about who the visitor is.
with
    lines as (
        select
            visitor_id,
            cast(null as varchar) as login_id,
            cast(null as varchar) as mobile,
            occurred_at
        from {{ ref("stg_website__visits") }}
        union all
        select visitor_id, login_id, null, occurred_at
        from {{ ref("stg_website__pages") }}
        union all
        select
            visitor_id,
            login_id,
            case
                when event_name in ('submit_inquiry', 'book_test_drive')
                then {{ json_text("event_variables", "mobile") }}
            end,
            occurred_at
        from {{ ref("stg_website__custom_events") }}
    )

select
    visitor_id,
    login_id,
    mobile,
    min(occurred_at) as first_seen_at,
    max(occurred_at) as last_seen_at,
    count(*) as line_count
from lines
group by visitor_id, login_id, mobile
