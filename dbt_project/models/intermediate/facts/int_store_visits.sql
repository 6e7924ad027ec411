-- Grain: one row per reception at a store.
select
    visits.visit_id,
    records.one_id,
    visits.dealer_code,
    dealers.region,
    visits.series_code,
    visits.staff_id,
    visits.visit_kind,
    coalesce(visits.visit_kind in ('首次自然来店', '线索首次', '转介绍'), false) as is_first,
    visits.intent_level,
    visits.arrived_at,
    visits.left_at
from {{ ref("stg_dms__store_visits") }} as visits
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = visits.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'store_visits'
    and records.record_key = visits.record_key
