-- Grain: one row per local month, staff_id and item of users (用户) with anything to
-- count.
with
    owners as (
        select
            *,
            -- months are counted on the local calendar
            {{ months_later("delivered_at + interval '8' hour", 12) }}
            - interval '8' hour as year_after,
            {{ months_later("delivered_at + interval '8' hour", 36) }}
            - interval '8' hour as years_after
        from {{ ref("int_owners") }}
        where staff_id is not null
    ),

    referrers as (
        select distinct owners.buyer_key
        from owners
        inner join
            {{ ref("int_referral_orders") }} as orders
            on orders.member_one_id = owners.one_id
            and orders.is_valid
            and orders.qualified_at >= owners.delivered_at
            and orders.qualified_at < owners.year_after
    ),

    entries as (
        select
            month,
            staff_id,
            'nps' as item,
            case when is_promoter then 1 when is_detractor then -1 else 0 end as num,
            1 as den
        from {{ ref("int_survey_responses") }}
        where staff_id is not null
        union all
        select
            {{ local_month("years_after") }},
            staff_id,
            'repurchase_rate_36m',
            case when next_delivered_at < years_after then 1 else 0 end,
            1
        from owners
        where years_after <= {{ as_of() }}
        union all
        select
            {{ local_month("owners.year_after") }},
            owners.staff_id,
            'referral_rate_12m',
            case when referrers.buyer_key is not null then 1 else 0 end,
            1
        from owners
        left join referrers on referrers.buyer_key = owners.buyer_key
        where owners.one_id is not null and owners.year_after <= {{ as_of() }}
        union all
        select month, staff_id, 'community_activity', active_owners, owners
        from {{ ref("int_assessment_owner_months") }}
    )

select
    month,
    staff_id,
    item,
    cast(sum(num) as decimal(28, 4)) as num,
    cast(sum(den) as decimal(28, 4)) as den
from entries
group by month, staff_id, item
