-- Grain: one row per person, local date and series: what they did on the product's own
-- surfaces, in the days that scores look at.
select
    one_id,
    {{ local_date("occurred_at") }} as date,
    {{ key_text("series_code") }} as series_code,
    count(*) filter (where event = 'view_series') as views,
    count(*) filter (where event = 'click_finance') as clicks,
    count(*) filter (where event in ('compare_series', 'view_config')) as comparisons,
    count(*) filter (where event = 'submit_inquiry') as inquiries
from {{ ref("int_events") }}
where
    one_id is not null
    and occurred_at < {{ as_of() }}
    and {{ dbt.datediff(local_date("occurred_at"), local_date(as_of()), "day") }}
    <= (select 45 + 7 * max(history_weeks) from {{ ref("score_models") }})
group by one_id, {{ local_date("occurred_at") }}, {{ key_text("series_code") }}
