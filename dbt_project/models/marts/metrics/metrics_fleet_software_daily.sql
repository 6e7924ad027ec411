-- Grain: one row per local date of as-of, series, software version and stock status.
-- Why: which cars have to be updated before they are delivered, and where they are.
with
    vehicles as (
        select
            {{ key_text("vehicles.series_code") }} as series_code,
            {{ key_text("vehicles.software_version") }} as software_version,
            {{ key_text("vehicles.stock_status") }} as stock_status,
            targets.software_version as target_version,
            coalesce(vehicles.stock_status in ('在途', '在库'), false) as is_undelivered,
            -- a car whose version nobody knows has to be looked at
            coalesce(
                {{ version_order(key_text("vehicles.software_version")) }}
                < targets.version_order,
                vehicles.software_version is null
            ) as is_outdated
        from {{ ref("stg_dms__vehicles") }} as vehicles
        left join
            {{ ref("int_software_targets") }} as targets
            on targets.series_code = vehicles.series_code
    )

select
    {{ local_date(as_of()) }} as date,
    series_code,
    software_version,
    stock_status,
    max(target_version) as target_version,
    count(*) as vehicles,
    {{ ratio("update_due_rate", "is_outdated", "is_undelivered") }}
from vehicles
group by series_code, software_version, stock_status
