-- Grain: one row per change of a one_id, since the first snapshot.
-- Why an id that a reader kept is now another one.
select changed_at, change, one_id, previous_one_id, record_count, reason, run_id
from {{ source("identity", "changes") }}
