-- Grain: one row per WeCom contact of a person with a member of staff.
select
    contacts.record_key,
    records.one_id,
    contacts.staff_id,
    staff.dealer_code as dealer_code,
    contacts.contact_source,
    contacts.added_at,
    contacts.deleted_at
from {{ ref("stg_crm__wecom_contacts") }} as contacts
left join
    {{ ref("stg_workforce__staff") }} as staff on staff.staff_id = contacts.staff_id
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'crm'
    and records.entity = 'wecom_contacts'
    and records.record_key = contacts.record_key
