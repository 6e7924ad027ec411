-- Grain: one row per test drive that the dms reports.
select
    drives.test_drive_id,
    records.one_id,
    drives.dealer_code,
    dealers.region,
    drives.series_code,
    drives.staff_id,
    drives.end_mileage - drives.start_mileage as driven_km,
    drives.satisfaction,
    drives.started_at,
    drives.ended_at
from {{ ref("stg_dms__test_drives") }} as drives
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = drives.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'test_drives'
    and records.record_key = drives.record_key
