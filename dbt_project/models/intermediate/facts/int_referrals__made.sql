-- Grain: one row per referral; its person is who referred somebody.
select
    referral_id,
    member_one_id as one_id,
    member_code,
    member_kind,
    order_no,
    status,
    referred_at
from {{ ref("int_referrals") }}
where member_one_id is not null
