-- Grain: one row per source record that carries a person.
-- The map from any record to its person; everything that counts persons joins it.
select source, entity, record_key, one_id, linked_by, linked_at
from {{ source("identity", "record_map") }}
