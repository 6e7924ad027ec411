-- Grain: one row per one_id that was ever retired.
-- One lookup leads from any id that a reader kept to the person's id of today.
select retired_one_id, one_id, since from {{ source("identity", "redirects") }}
