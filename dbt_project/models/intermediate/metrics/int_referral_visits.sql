-- Grain: one row per local month, member and visitor who came through the member's
-- link.
with
    steps as (
        select
            subject_key,
            occurred_at,
            event = 'ReferralSubmit' as is_submitted,
            nullif(
                trim({{ json_text("properties", "member_code") }}), ''
            ) as member_code,
            nullif(trim({{ json_text("properties", "mobile") }}), '') as mobile
        from {{ ref("stg_miniprogram__events") }}
        where type = 'track' and event in ('ReferralOpen', 'ReferralSubmit')
    )

select
    {{ local_month("steps.occurred_at") }} as month,
    steps.member_code,
    -- one person on two devices is one visitor
    coalesce(records.one_id, steps.subject_key) as visitor_key,
    max(case when steps.is_submitted and steps.mobile is not null then 1 else 0 end)
    = 1 as has_left_phone
from steps
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'miniprogram'
    and records.entity = 'events'
    and records.record_key = steps.subject_key
where steps.member_code is not null and steps.occurred_at is not null
group by
    {{ local_month("steps.occurred_at") }},
    steps.member_code,
    coalesce(records.one_id, steps.subject_key)
