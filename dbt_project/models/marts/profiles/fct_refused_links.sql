-- Grain: one row per pair of records that identity resolution refused to link.
-- Answers "why are these two not one person".
select
    source,
    entity,
    record_key,
    other_source,
    other_entity,
    other_record_key,
    identifier_type,
    reason,
    run_id
from {{ source("identity", "refused_links") }}
