-- Grain: one row per local month and member with a valid order, a valid lead or a
-- visitor.
-- Why: who carries the programme; the shares of the first show how few they are.
with
    visitors as (
        select month, member_code, count(*) as visitors
        from {{ ref("int_referral_visits") }}
        group by month, member_code
    ),

    active as (
        select
            coalesce(activity.month, visitors.month) as month,
            coalesce(activity.member_code, visitors.member_code) as member_code,
            coalesce(activity.referral_valid_orders, 0) as referral_valid_orders,
            coalesce(activity.leads_valid, 0) as leads_valid,
            coalesce(visitors.visitors, 0) as visitors
        from {{ ref("int_referral_activity") }} as activity
        full outer join
            visitors
            on visitors.month = activity.month
            and visitors.member_code = activity.member_code
    )

select
    active.month,
    active.member_code,
    {{ key_text("members.member_kind") }} as member_kind,
    {{ key_text("members.department") }} as department,
    active.referral_valid_orders,
    active.leads_valid,
    active.visitors,
    cast(
        dense_rank() over (
            partition by active.month order by active.referral_valid_orders desc
        ) as bigint
    ) as board_rank,
    active.referral_valid_orders as order_share_num,
    cast(
        sum(active.referral_valid_orders) over (partition by active.month) as bigint
    ) as order_share_den,
    cast(active.referral_valid_orders as double) / nullif(
        sum(active.referral_valid_orders) over (partition by active.month), 0
    ) as order_share,
    cast(
        sum(active.referral_valid_orders) over (
            partition by active.member_code order by active.month
        ) as bigint
    ) as referral_valid_orders_total
from active
left join
    {{ ref("int_referral_members") }} as members
    on members.member_code = active.member_code
where active.referral_valid_orders > 0 or active.leads_valid > 0 or active.visitors > 0
