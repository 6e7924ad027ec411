-- Grain: one row per source record of a company customer.
-- Companies buy cars but are no persons: their records are kept apart.
select
    source, entity, record_key, concat('o_', md5(organisation_key)) as organisation_id
from {{ ref("int_identity_records") }}
where is_organisation
