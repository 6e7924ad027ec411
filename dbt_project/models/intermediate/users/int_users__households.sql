-- Grain: one row per person and somebody they live with, so two rows a pair.
select one_id, related_one_id
from {{ ref("bridge_user_relationships") }}
where relationship = 'household'
union
select related_one_id, one_id
from {{ ref("bridge_user_relationships") }}
where relationship = 'household'
