-- Grain: one row per member of the referral programme.
-- The names that the shared metrics leave out.
select member_code, name from {{ ref("stg_partner__members") }}
