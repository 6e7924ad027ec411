-- Grain: one row per order that a referral names, with the one referral that counts
-- for it.
-- Why: the rule of a valid referral order, and from when to when it was one.
with
    claims as (
        select
            referrals.referral_id,
            referrals.order_no,
            referrals.member_code,
            referrals.member_kind,
            referrals.department,
            referrals.member_one_id,
            orders.one_id,
            orders.organisation_id,
            referrals.referred_at,
            coalesce(
                orders.member_code = referrals.member_code, false
            ) as is_named_by_order,
            referrals.reserved_at,
            referrals.buy_expires_at,
            orders.first_ordered_at as ordered_at,
            -- a large order is paid when it is placed; a small one when it is invoiced
            coalesce(
                orders.large_ordered_at, orders.locked_at, orders.blue_invoiced_at
            ) as paid_at,
            orders.red_invoiced_at,
            -- a red invoice says when; a status alone only by the last change
            coalesce(
                orders.red_invoiced_at,
                case
                    when orders.is_cancelled
                    then coalesce(orders.cancelled_at, orders.updated_at)
                end
            ) as order_ended_at,
            orders.is_cancelled,
            case
                when coalesce(referrals.status <> '有效', true) then referrals.updated_at
            end as referral_cancelled_at,
            coalesce(referrals.status = '有效', false) as is_kept
        from {{ ref("int_referrals") }} as referrals
        inner join
            {{ ref("int_orders") }} as orders on orders.order_no = referrals.order_no
    ),

    judged as (
        select
            *,
            coalesce(
                reserved_at <= ordered_at
                and ordered_at <= buy_expires_at
                and reserved_at <= paid_at
                and paid_at <= buy_expires_at,
                false
            ) as is_in_time
        from claims
    ),

    ranked as (
        select
            *,
            is_in_time
            and is_kept
            and red_invoiced_at is null
            and not is_cancelled as is_valid,
            row_number() over (
                partition by order_no
                order by
                    case when is_in_time then 0 else 1 end,
                    case when is_kept then 0 else 1 end,
                    case when is_named_by_order then 0 else 1 end,
                    referred_at nulls last,
                    referral_id
            ) as place
        from judged
    )

select
    referral_id,
    order_no,
    member_code,
    member_kind,
    department,
    member_one_id,
    one_id,
    organisation_id,
    referred_at,
    ordered_at,
    greatest(ordered_at, paid_at) as qualified_at,
    is_in_time,
    is_valid,
    referral_cancelled_at,
    least(
        coalesce(order_ended_at, referral_cancelled_at),
        coalesce(referral_cancelled_at, order_ended_at)
    ) as ended_at
from ranked
where place = 1
