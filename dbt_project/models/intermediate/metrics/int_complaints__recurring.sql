-- Grain: one row per closed complaint about a part that failed again in 30 days.
select distinct closed.complaint_id
from {{ ref("int_complaints") }} as closed
inner join
    {{ ref("int_complaints") }} as again
    on again.vin = closed.vin
    and again.fault_part = closed.fault_part
    and again.complaint_id != closed.complaint_id
    and {{ in_window("again.accepted_at", "closed.closed_at", 30) }}
