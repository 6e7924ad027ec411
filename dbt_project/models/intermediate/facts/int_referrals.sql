-- Grain: one row per referral; one_id is the referred, member_one_id the referrer.
select
    referrals.referral_id,
    records.one_id,
    referrals.member_code,
    members.member_kind as member_kind,
    members.department as department,
    member_records.one_id as member_one_id,
    referrals.channel,
    referrals.inquiry_id,
    referrals.order_no,
    referrals.status,
    referrals.referred_at,
    referrals.reserved_at,
    referrals.buy_expires_at,
    referrals.updated_at
from {{ ref("stg_partner__referrals") }} as referrals
left join
    {{ ref("stg_partner__members") }} as members
    on members.member_code = referrals.member_code
left join
    {{ ref("bridge_user_records") }} as member_records
    on member_records.source = 'partner'
    and member_records.entity = 'members'
    and member_records.record_key = members.record_key
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'partner'
    and records.entity = 'referrals'
    and records.record_key = referrals.record_key
