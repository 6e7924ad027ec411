-- Grain: one row per person who is staff.
select distinct identifiers.one_id
from {{ ref("bridge_user_identifiers") }} as identifiers
inner join
    {{ ref("stg_workforce__staff") }} as staff
    on (
        identifiers.identifier_type = 'mobile'
        and identifiers.identifier_value = staff.mobile
    )
    or (
        identifiers.identifier_type = 'unionid'
        and identifiers.identifier_value = staff.unionid
    )
where identifiers.one_id is not null and not identifiers.is_shared
