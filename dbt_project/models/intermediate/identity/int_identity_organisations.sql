-- Customer numbers that stand for a company: their records are never a person.
select record_key as organisation_key, dealer_code, dms_customer_id, name
from {{ ref("stg_dms__customers") }}
where customer_kind = '公司'
