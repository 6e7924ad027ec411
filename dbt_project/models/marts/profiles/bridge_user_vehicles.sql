-- Grain: one row per person, vehicle, role and period.
-- A VIN never makes records one person: persons hold cars for a time, several at once.
select one_id, vin, 'owner' as role, valid_from, valid_to
from {{ ref("int_users__ownerships") }}
union all
select one_id, vin, 'driver', valid_from, valid_to
from {{ ref("int_users__bindings") }}
union all
select
    m.one_id,
    s.vin,
    'sender',
    min(coalesce(s.arrived_at, s.left_at)),
    -- a car that left before it came in left when it came in
    max(greatest(coalesce(s.left_at, s.arrived_at), coalesce(s.arrived_at, s.left_at)))
from {{ ref("stg_dms__service_orders") }} as s
inner join
    {{ ref("bridge_user_records") }} as m
    on m.source = 'dms'
    and m.entity = 'service_orders'
    and m.record_key = s.record_key
where s.vin is not null and coalesce(s.arrived_at, s.left_at) is not null
group by m.one_id, s.vin
