-- Grain: one row per person, vehicle, role and period.
-- A VIN never makes records one person: persons hold cars for a time, several at once.
select one_id, vin, 'owner' as role, valid_from, valid_to
from {{ ref("int_users__ownerships") }}
union all
select one_id, vin, 'driver', valid_from, valid_to
from {{ ref("int_users__bindings") }}
union all
select
    m.one_id, s.vin, 'sender', min(s.arrived_at), max(coalesce(s.left_at, s.arrived_at))
from {{ ref("stg_dms__service_orders") }} as s
inner join
    {{ ref("bridge_user_records") }} as m
    on m.source = 'dms'
    and m.entity = 'service_orders'
    and m.record_key = s.record_key
where s.vin is not null
group by m.one_id, s.vin
