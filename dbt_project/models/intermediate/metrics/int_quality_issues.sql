-- Grain: one row per quality issue, its newest version.
select
    issues.issue_id,
    issues.vin,
    coalesce(issues.series_code, vehicles.series_code) as series_code,
    issues.fault_part,
    issues.issue_source,
    issues.raised_at,
    issues.escalated_at,
    issues.fixed_at,
    -- what was verified before it was fixed is not verified
    case
        when issues.verified_at >= issues.fixed_at then issues.verified_at
    end as verified_at
from {{ ref("stg_workforce__quality_issues") }} as issues
left join {{ ref("stg_dms__vehicles") }} as vehicles on vehicles.vin = issues.vin
