-- Grain: one row per member of the referral programme.
with
    leads as (
        select member_code, min(created_at) as created_at
        from {{ ref("int_leads") }}
        where is_valid and member_code is not null
        group by member_code
    )

select
    members.member_code,
    {{ key_text("members.member_kind") }} as member_kind,
    {{ key_text("members.department") }} as department,
    members.mentor_codes,
    coalesce(members.status <> '注销', true) as is_active,
    {{ local_month("members.registered_at") }} as registered_month,
    -- a lead brought before joining counts from joining on
    case
        when leads.created_at is not null and members.registered_at is not null
        then {{ local_month("greatest(leads.created_at, members.registered_at)") }}
    end as captured_month
from {{ ref("stg_partner__members") }} as members
left join leads on leads.member_code = members.member_code
