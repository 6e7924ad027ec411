-- Grain: one row per dealer of the dms.
-- Why: names and places behind dealer_code in the shared tables.
select
    dealer_code,
    name as dealer_name,
    dealer_type,
    region,
    area,
    province,
    city,
    opened_on
from {{ ref("stg_dms__dealers") }}
