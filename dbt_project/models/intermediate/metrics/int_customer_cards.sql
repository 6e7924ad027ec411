-- Grain: one row per customer number of a dealer, persons only.
select customers.record_key, records.one_id, customers.dealer_code, customers.filed_on
from {{ ref("stg_dms__customers") }} as customers
inner join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'customers'
    and records.record_key = customers.record_key
where customers.filed_on is not null
