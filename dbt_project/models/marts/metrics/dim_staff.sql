-- Grain: one row per member of staff, without a name.
-- Why: role and place behind staff_id; who that is stands in the restricted store only.
select
    staff.staff_id,
    staff.role,
    staff.department,
    staff.dealer_code,
    dealers.region,
    staff.hired_on,
    staff.left_on,
    staff.left_on is null or staff.left_on > {{ local_date(as_of()) }} as is_active
from {{ ref("stg_workforce__staff") }} as staff
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = staff.dealer_code
