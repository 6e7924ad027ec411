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
{%- set due = "cut_off_at <= " ~ as_of() %}
{%- set events = [
    ("store_visits", "int_store_visits", "arrived_at", "true"),
    ("first_visits", "int_store_visits", "arrived_at", "is_first"),
    ("cards", "int_store_visits__carded", "arrived_at", "true"),
    ("test_drives", "int_test_drives", "started_at", "true"),
    ("orders_small", "int_orders", "small_ordered_at", "true"),
    ("orders_small_due", "int_small_orders", "small_ordered_at", due),
    (
        "orders_small_held",
        "int_small_orders",
        "small_ordered_at",
        due ~ " and is_locked_in_time",
    ),
    ("orders_large", "int_orders", "large_ordered_at", "true"),
    ("orders_locked", "int_orders", "locked_at", "true"),
    ("orders_cancelled", "int_orders", "cancelled_at", "true"),
] %}
{#- the titles of the dms report; a count of other dates may exceed its denominator -#}
{%- set ratios = [
    ("small_order_lock_rate", "orders_small_held", "orders_small_due"),
    ("legacy_card_rate", "cards", "first_visits"),
    ("legacy_test_drive_rate", "test_drives", "store_visits"),
    ("legacy_order_rate", "orders_large", "cards"),
    ("legacy_delivery_rate", "deliveries", "cards"),
] %}
with
    events as (
        {%- for measure, fact, happened_at, condition in events %}
            select
                '{{ measure }}' as measure,
                {{ happened_at }} as happened_at,
                series_code,
                dealer_code,
                region,
                cast(0 as bigint) as fen
            from {{ ref(fact) }}
            where {{ happened_at }} is not null and {{ condition }}
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
    ) as revenue_returned_fen,
    {%- for name, hits, anchors in ratios %}
        count(*) filter (where measure = '{{ hits }}') as {{ name }}_num,
        count(*) filter (where measure = '{{ anchors }}') as {{ name }}_den,
        cast(count(*) filter (where measure = '{{ hits }}') as double)
        / nullif(count(*) filter (where measure = '{{ anchors }}'), 0) as {{ name }}
        {{- "," if not loop.last }}
    {%- endfor %}
from events
group by
    {{ local_date("happened_at") }},
    {{ key_text("series_code") }},
    {{ key_text("dealer_code") }},
    {{ key_text("region") }}
