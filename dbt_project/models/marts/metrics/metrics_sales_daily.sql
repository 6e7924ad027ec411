-- Grain: one row per local date of the event, series, dealer and region.
-- Why: what the dms reports, with or without a lead, each event on its own date.
{%- set measures = [
    "store_visits",
    "test_drives",
    "orders_small",
    "orders_large",
    "orders_locked",
    "orders_cancelled",
    "deliveries",
    "deliveries_returned",
] %}
{%- set events = [
    ("store_visits", "int_store_visits", "arrived_at"),
    ("test_drives", "int_test_drives", "started_at"),
    ("orders_small", "int_orders", "small_ordered_at"),
    ("orders_large", "int_orders", "large_ordered_at"),
    ("orders_locked", "int_orders", "locked_at"),
    ("orders_cancelled", "int_orders", "cancelled_at"),
] %}
with
    events as (
        {%- for measure, fact, happened_at in events %}
            select
                '{{ measure }}' as measure,
                {{ happened_at }} as happened_at,
                series_code,
                dealer_code,
                region,
                cast(0 as bigint) as fen
            from {{ ref(fact) }}
            where {{ happened_at }} is not null
            union all
        {%- endfor %}
        select
            'deliveries',
            delivered_at,
            series_code,
            dealer_code,
            region,
            coalesce(price_fen, 0)
        from {{ ref("int_deliveries") }}
        where delivered_at is not null
        union all
        select
            'deliveries_returned',
            returned_at,
            series_code,
            dealer_code,
            region,
            coalesce(price_fen, 0)
        from {{ ref("int_deliveries") }}
        where is_returned and returned_at is not null
    )

select
    {{ local_date("happened_at") }} as date,
    {{ key_text("series_code") }} as series_code,
    {{ key_text("dealer_code") }} as dealer_code,
    {{ key_text("region") }} as region,
    {%- for measure in measures %}
        count(*) filter (where measure = '{{ measure }}') as {{ measure }},
    {%- endfor %}
    cast(
        coalesce(sum(fen) filter (where measure = 'deliveries'), 0) as bigint
    ) as revenue_fen,
    cast(
        coalesce(sum(fen) filter (where measure = 'deliveries_returned'), 0) as bigint
    ) as revenue_returned_fen
from events
group by
    {{ local_date("happened_at") }},
    {{ key_text("series_code") }},
    {{ key_text("dealer_code") }},
    {{ key_text("region") }}
