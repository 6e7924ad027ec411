-- Grain: one row per delivered order; its buyer is a person or a company.
-- Why: what a car is worth to an adviser depends on which car of its buyer it is.
with
    handovers as (
        select order_no, min(staff_id) as staff_id
        from {{ ref("int_deliveries") }}
        where order_no is not null
        group by order_no
    ),

    cars as (
        select
            orders.order_no,
            orders.one_id,
            orders.organisation_id,
            coalesce(
                orders.one_id, orders.organisation_id, concat('order ', orders.order_no)
            ) as buyer_key,
            -- who sold it is paid, not who handed it over
            coalesce(orders.staff_id, handovers.staff_id) as staff_id,
            orders.dealer_code,
            orders.region,
            orders.vin,
            orders.unit_profit_fen,
            orders.blue_invoiced_at,
            orders.delivered_at,
            -- a reversal is booked when it happens, never before what it reverses
            case
                when orders.red_invoiced_at is not null
                then greatest(orders.red_invoiced_at, orders.delivered_at)
                when
                    orders.status in ('已退车', '已取消')
                    or orders.cancelled_at >= orders.delivered_at
                then
                    greatest(
                        coalesce(orders.cancelled_at, orders.updated_at),
                        orders.delivered_at
                    )
            end as reversed_at,
            case
                when orders.red_invoiced_at is not null
                then 'red invoice'
                when
                    orders.status in ('已退车', '已取消')
                    or orders.cancelled_at >= orders.delivered_at
                then 'cancellation'
            end as reversed_because
        from {{ ref("int_orders") }} as orders
        left join handovers on handovers.order_no = orders.order_no
        where orders.delivered_at is not null
    )

select
    cars.*,
    row_number() over (
        partition by buyer_key order by delivered_at, order_no
    ) as car_number,
    first_value(staff_id) over (
        partition by buyer_key order by delivered_at, order_no
    ) as first_staff_id,
    first_value(delivered_at) over (
        partition by buyer_key order by delivered_at, order_no
    ) as first_delivered_at
from cars
