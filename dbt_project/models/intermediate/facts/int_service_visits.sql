-- Grain: one row per work order; its person is who brought the car in.
select
    visits.service_order_id,
    records.one_id,
    visits.vin,
    visits.dealer_code,
    dealers.region,
    visits.service_kind,
    visits.fault_part,
    coalesce(visits.is_rework, false) as is_rework,
    visits.mileage,
    visits.amount_fen,
    visits.arrived_at,
    visits.left_at
from {{ ref("stg_dms__service_orders") }} as visits
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = visits.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'service_orders'
    and records.record_key = visits.record_key
