-- Grain: one row per staff member.
-- The names that the shared metrics leave out.
select staff_id, name from {{ ref("stg_workforce__staff") }}
