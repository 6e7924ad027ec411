-- Grain: one row per survey that was answered or expired.
select
    surveys.survey_id,
    records.one_id,
    surveys.survey_kind,
    surveys.vin,
    surveys.dealer_code,
    dealers.region,
    surveys.staff_id,
    surveys.recommend_score,
    surveys.satisfaction,
    -- tags count in whole numbers
    cast(round(surveys.satisfaction * 10) as bigint) as satisfaction_tenths,
    surveys.sent_at,
    surveys.submitted_at
from {{ ref("stg_crm__surveys") }} as surveys
left join
    {{ ref("stg_dms__dealers") }} as dealers
    on dealers.dealer_code = surveys.dealer_code
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'crm'
    and records.entity = 'surveys'
    and records.record_key = surveys.record_key
