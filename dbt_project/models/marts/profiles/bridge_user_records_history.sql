-- Grain: one row per source record and period in which it was one person's.
-- Who was behind a record on a day: valid_from <= day and (valid_to > day or valid_to
-- is null).
select
    source, entity, record_key, one_id, valid_from, cast(null as timestamp) as valid_to
from {{ source("identity", "record_map") }}
union all
select source, entity, record_key, one_id, valid_from, valid_to
from {{ source("identity", "past_map") }}
