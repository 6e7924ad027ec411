-- Grain: one row per lead and period of one rating, with what the rating promises.
select
    tiers.lead_id,
    leads.one_id,
    leads.region,
    pools.pool as nurture_pool,
    tiers.tier,
    lag(tiers.tier) over (
        partition by tiers.lead_id order by tiers.valid_from
    ) as tier_before,
    tiers.valid_from,
    tiers.valid_to,
    tiers.valid_from + interval '1' day * pools.promise_days as due_at,
    leads.ordered_at
from {{ ref("int_users__lead_tiers") }} as tiers
inner join {{ ref("int_users__leads") }} as leads on leads.lead_id = tiers.lead_id
left join {{ ref("tier_pools") }} as pools on pools.tier = tiers.tier
