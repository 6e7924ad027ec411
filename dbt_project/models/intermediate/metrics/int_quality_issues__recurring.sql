-- Grain: one row per fixed quality issue of a car whose part failed again in 30 days.
select distinct fixed.issue_id
from {{ ref("int_quality_issues") }} as fixed
inner join
    {{ ref("int_quality_issues") }} as again
    on again.vin = fixed.vin
    and again.fault_part = fixed.fault_part
    and again.issue_id != fixed.issue_id
    and {{ in_window("again.raised_at", "fixed.fixed_at", 30) }}
