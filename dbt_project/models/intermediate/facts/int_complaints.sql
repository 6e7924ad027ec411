-- Grain: one row per complaint, its newest version.
select
    complaints.complaint_id,
    records.one_id,
    complaints.vin,
    complaints.complaint_level,
    complaints.complaint_type,
    complaints.complaint_source,
    complaints.dealer_code,
    dealers.region,
    complaints.staff_id,
    complaints.fault_part,
    complaints.status,
    complaints.revisit_result,
    coalesce(complaints.is_reopened, false) as is_reopened,
    complaints.accepted_at,
    complaints.notified_at,
    complaints.first_contacted_at,
    complaints.resolved_at,
    complaints.revisited_at,
    complaints.closed_at
from {{ ref("stg_crm__complaints") }} as complaints
left join
    {{ ref("stg_dms__dealers") }} as dealers
    on dealers.dealer_code = complaints.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'crm'
    and records.entity = 'complaints'
    and records.record_key = complaints.record_key
