-- Grain: one row per dms delivery; person, car and price are those of its order.
select
    deliveries.delivery_id,
    deliveries.order_no,
    orders.one_id,
    orders.organisation_id,
    coalesce(deliveries.vin, orders.vin) as vin,
    coalesce(orders.series_code, vehicles.series_code) as series_code,
    coalesce(orders.model_code, vehicles.model_code) as model_code,
    coalesce(deliveries.dealer_code, orders.dealer_code) as dealer_code,
    dealers.region,
    coalesce(deliveries.staff_id, orders.staff_id) as staff_id,
    coalesce(orders.is_returned, false) as is_returned,
    orders.price_fen,
    orders.first_ordered_at,
    deliveries.delivered_at,
    orders.returned_at
from {{ ref("stg_dms__deliveries") }} as deliveries
left join {{ ref("int_orders") }} as orders on orders.order_no = deliveries.order_no
left join
    {{ ref("stg_dms__vehicles") }} as vehicles
    on vehicles.vin = coalesce(deliveries.vin, orders.vin)
left join
    {{ ref("stg_dms__dealers") }} as dealers
    on dealers.dealer_code = coalesce(deliveries.dealer_code, orders.dealer_code)
