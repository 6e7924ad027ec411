-- Grain: one row per person with a sign of interest: the last of all, and the recent
-- ones by strength.
with
    signals as (
        select
            one_id,
            occurred_at as happened_at,
            case when event = 'view_series' then series_code end as viewed_series_code,
            event in ('compare_series', 'view_config') as is_comparing,
            event
            in ('click_finance', 'submit_inquiry', 'book_test_drive') as is_deciding
        from {{ ref("int_events") }}
        union all
        select one_id, arrived_at, null, false, true
        from {{ ref("int_store_visits") }}
        union all
        select one_id, started_at, null, false, true
        from {{ ref("int_test_drives") }}
        union all
        select one_id, created_at, null, true, coalesce(tier in ('H', 'A'), false)
        from {{ ref("int_leads") }}
        where is_valid and coalesce(status not in ('战败', '失效'), true)
    ),

    dated as (
        select *, happened_at >= {{ as_of() }} - interval '90' day as is_recent
        from signals
        where one_id is not null
    )

select
    one_id,
    max(happened_at) as last_signal_at,
    coalesce(bool_or(is_deciding and is_recent), false) as is_deciding,
    coalesce(bool_or(is_comparing and is_recent), false)
    or count(distinct viewed_series_code) filter (where is_recent) >= 2 as is_comparing
from dated
group by one_id
