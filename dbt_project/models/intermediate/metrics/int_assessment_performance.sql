-- Grain: one row per local month, staff_id and item of performance (业绩) with anything
-- to count.
with
    entries as (
        select
            {{ local_month("delivered_at") }} as month,
            staff_id,
            'deals' as item,
            1 as num,
            cast(null as bigint) as den
        from {{ ref("int_deliveries") }}
        where delivered_at is not null and staff_id is not null
        union all
        select
            {{ local_month("delivered_at") }},
            staff_id,
            'revenue_fen',
            coalesce(price_fen, 0),
            null
        from {{ ref("int_deliveries") }}
        where delivered_at is not null and staff_id is not null
        union all
        select
            {{ local_month("created_at") }},
            staff_id,
            'conversion',
            case
                when coalesce({{ kept_order_in_window("large", 30) }}, false)
                then 1
                else 0
            end,
            1
        from {{ ref("int_leads") }}
        where
            is_valid
            and staff_id is not null
            and created_at + interval '30' day <= {{ as_of() }}
    )

select
    month,
    staff_id,
    item,
    cast(sum(num) as decimal(28, 4)) as num,
    cast(sum(den) as decimal(28, 4)) as den
from entries
group by month, staff_id, item
