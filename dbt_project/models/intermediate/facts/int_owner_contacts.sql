-- Grain: one row per contact of staff with an owner.
select
    contacts.contact_id,
    records.one_id,
    contacts.vin,
    contacts.staff_id,
    staff.dealer_code as dealer_code,
    contacts.method,
    contacts.purpose,
    coalesce(contacts.is_proactive, false) as is_proactive,
    contacts.contacted_at
from {{ ref("stg_crm__owner_contacts") }} as contacts
left join
    {{ ref("stg_workforce__staff") }} as staff on staff.staff_id = contacts.staff_id
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'crm'
    and records.entity = 'owner_contacts'
    and records.record_key = contacts.record_key
