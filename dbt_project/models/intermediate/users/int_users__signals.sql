-- Grain: one row per sign of interest of a person.
-- A sign of any kind shows that the person is there; some also that they compare or
-- decide.
{{ config(materialized="view") }}

select
    one_id,
    occurred_at as happened_at,
    case
        when event in ('click_finance', 'submit_inquiry', 'book_test_drive')
        then 'deciding'
        when event in ('compare_series', 'view_config')
        then 'comparing'
        when event = 'view_series' and series_code is not null
        then concat('viewed ', series_code)
    end as kind
from {{ ref("int_events") }}
where one_id is not null and occurred_at < {{ as_of() }}
union all
select one_id, arrived_at, 'deciding'
from {{ ref("int_store_visits") }}
where one_id is not null and arrived_at < {{ as_of() }}
union all
select one_id, started_at, 'deciding'
from {{ ref("int_test_drives") }}
where one_id is not null and started_at < {{ as_of() }}
union all
-- that a lead compares or decides ends with it: int_users__lead_periods
select one_id, created_at, null
from {{ ref("int_users__leads") }}
