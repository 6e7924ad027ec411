-- Grain: one row per person and action; of several that call for it the first one due.
-- Why: whom the front line should turn to, for what, and until when.
select one_id, action, staff_id, because, due_at
from {{ ref("int_users__next_actions") }}
