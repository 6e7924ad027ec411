-- Grain: one row per action that a meeting of a region's task force decided.
select
    items.item_id,
    items.region,
    items.staff_id,
    coalesce(staff.dealer_code, '') <> '' as is_of_dealer,
    items.meeting_at,
    items.due_at,
    items.closed_at
from {{ ref("stg_workforce__action_items") }} as items
left join {{ ref("stg_workforce__staff") }} as staff on staff.staff_id = items.staff_id
