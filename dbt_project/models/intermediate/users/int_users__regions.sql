-- Grain: one row per person and local date since which they last dealt with a region.
-- A person belongs to the region of the dealer of the latest lead, order, visit or test
-- drive; of two on one day the later one counts.
{% set dealings = [
    ("int_users__leads", "created_at", "lead_id"),
    ("int_orders", "first_ordered_at", "order_no"),
    ("int_store_visits", "arrived_at", "visit_id"),
    ("int_test_drives", "started_at", "test_drive_id"),
] %}

with
    dealings as (
        {% for fact, happened_at, key in dealings %}
            select
                one_id,
                region,
                {{ happened_at }} as happened_at,
                '{{ fact }}' as fact,
                {{ key }} as key
            from {{ ref(fact) }}
            where
                one_id is not null
                and region is not null
                and {{ happened_at }} < {{ as_of() }}
                {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    last_of_day as (
        select
            one_id,
            region,
            {{ local_date("happened_at") }} as date_from,
            row_number() over (
                partition by one_id, {{ local_date("happened_at") }}
                order by happened_at desc, fact desc, key desc
            ) as place
        from dealings
    )

select
    one_id,
    region,
    date_from,
    lead(date_from) over (partition by one_id order by date_from) as date_to
from last_of_day
where place = 1
