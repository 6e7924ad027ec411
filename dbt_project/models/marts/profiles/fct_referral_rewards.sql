-- Grain: one row per entry of the reward ledger; a referral's rewards have several.
-- Why: what is due follows from the order, what was paid from the reward: both stand
-- here.
with
    rewards as (
        select
            rewards.reward_id,
            rewards.referral_id,
            coalesce(rewards.member_code, referrals.member_code) as member_code,
            coalesce(referrals.one_id, orders.one_id) as one_id,
            orders.order_no,
            coalesce(rewards.amount_fen, 0) as amount_fen,
            rewards.status,
            rewards.decided_at,
            coalesce(rewards.decided_at, rewards.updated_at) as settled_at,
            case
                when
                    orders.is_in_time
                    and coalesce(orders.ended_at > orders.qualified_at, true)
                then orders.qualified_at
            end as due_at,
            orders.ended_at
        from {{ ref("stg_partner__rewards") }} as rewards
        left join
            {{ ref("int_referrals") }} as referrals
            on referrals.referral_id = rewards.referral_id
        left join
            {{ ref("int_referral_orders") }} as orders
            on orders.referral_id = rewards.referral_id
    ),

    judged as (
        select
            *,
            case when status = '2' then greatest(settled_at, due_at) end as refused_at
        from rewards
    ),

    entries as (
        select
            *,
            'due' as entry,
            amount_fen as due_fen,
            cast(0 as bigint) as paid_fen,
            due_at as entered_at
        from judged
        where due_at is not null
        union all
        select *, 'not_due', 0, 0, settled_at
        from judged
        where due_at is null
        union all
        select *, 'paid', 0, amount_fen, settled_at
        from judged
        where status = '1'
        union all
        -- refused or ended, whichever was first, takes back what was due, once
        select *, 'refused', - amount_fen, 0, refused_at
        from judged
        where
            due_at is not null
            and status = '2'
            and coalesce(refused_at <= ended_at, true)
        union all
        select
            *,
            case when status = '1' then 'clawback' else 'withdrawn' end,
            - amount_fen,
            0,
            ended_at
        from judged
        where
            due_at is not null
            and ended_at is not null
            and not coalesce(refused_at <= ended_at, false)
    )

select
    concat(reward_id, '|', entry) as entry_id,
    referral_id,
    reward_id,
    member_code,
    one_id,
    order_no,
    entry,
    due_fen,
    paid_fen,
    status,
    decided_at,
    entered_at
from entries
