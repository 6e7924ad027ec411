-- Grain: one row per dms order, of a person or of a company.
with
    first_deliveries as (
        select order_no, min(delivered_at) as delivered_at
        from {{ ref("stg_dms__deliveries") }}
        where order_no is not null
        group by order_no
    )

select
    orders.order_no,
    records.one_id,
    organisations.organisation_id,
    orders.dealer_code,
    dealers.region,
    dealers.area,
    orders.series_code,
    orders.model_code,
    orders.staff_id,
    orders.member_code,
    orders.vin,
    orders.payment_method,
    orders.status,
    coalesce(orders.cancelled_at <= {{ as_of() }}, false)
    or coalesce(orders.status in ('已取消', '已退车'), false) as is_cancelled,
    -- a car taken and given back was no cancelled order
    coalesce(orders.cancelled_at <= {{ as_of() }}, false)
    or coalesce(orders.status = '已取消', false) as is_withdrawn,
    first_deliveries.order_no is not null as is_delivered,
    first_deliveries.order_no is not null
    and (
        coalesce(orders.status = '已退车', false) or orders.red_invoiced_at is not null
    ) as is_returned,
    orders.deposit_fen,
    orders.price_fen,
    orders.unit_profit_fen,
    least(
        orders.small_ordered_at, orders.large_ordered_at, orders.locked_at
    ) as first_ordered_at,
    orders.small_ordered_at,
    orders.large_ordered_at,
    orders.locked_at,
    orders.cancelled_at,
    orders.blue_invoiced_at,
    orders.red_invoiced_at,
    first_deliveries.delivered_at,
    case
        when
            first_deliveries.order_no is not null
            and (orders.status = '已退车' or orders.red_invoiced_at is not null)
        then coalesce(orders.red_invoiced_at, orders.cancelled_at, orders.updated_at)
    end as returned_at,
    orders.updated_at
from {{ ref("stg_dms__orders") }} as orders
left join first_deliveries on first_deliveries.order_no = orders.order_no
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = orders.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'orders'
    and records.record_key = orders.record_key
left join
    {{ ref("bridge_organisation_records") }} as organisations
    on organisations.source = 'dms'
    and organisations.entity = 'orders'
    and organisations.record_key = orders.record_key
