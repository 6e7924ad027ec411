-- Grain: one row per person and attribute that any source knows.
-- Which value the golden profile took, from which record, by which rule of
-- seeds/survivorship.csv.
select
    one_id,
    attribute,
    value,
    source,
    entity,
    record_key,
    observed_at,
    rule,
    rejected_count
from {{ ref("int_users__survivors") }}
