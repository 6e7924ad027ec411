-- Grain: one row per phone of a person who works for us.
-- An adviser's phone stands on many customers' records: it is evidence for the
-- adviser alone.
select distinct
    'mobile' as identifier_type,
    '' as identifier_scope,
    mobile as identifier_value,
    name
from {{ ref("stg_workforce__staff") }}
where mobile is not null and name is not null
