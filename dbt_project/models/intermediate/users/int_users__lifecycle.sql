-- Grain: one row per person: where they stand. The first rule that fits decides.
with
    persons as (select distinct one_id from {{ ref("bridge_user_records") }}),

    known as (
        select
            persons.one_id,
            coalesce(cars.cars_kept, 0) as cars_kept,
            coalesce(cars.orders_open, 0) as orders_open,
            cars.one_id is null
            and coalesce(leads.has_ordered, false) as has_ordered_by_crm_only,
            greatest(leads.lost_at, cars.last_fell_through_at) as gone_at,
            signals.last_signal_at,
            coalesce(signals.is_deciding, false) as is_deciding,
            coalesce(signals.is_comparing, false) as is_comparing,
            leads.lead_id is not null and not leads.is_lost as has_open_lead,
            coalesce(leads.is_called, false) as is_called,
            tiers.tier as lead_tier,
            tiers.pool as tier_pool
        from persons
        left join {{ ref("int_users__cars") }} as cars on cars.one_id = persons.one_id
        left join
            {{ ref("int_users__leads") }} as leads on leads.one_id = persons.one_id
        left join
            {{ ref("int_users__signals") }} as signals
            on signals.one_id = persons.one_id
        left join {{ ref("tier_pools") }} as tiers on tiers.tier = leads.tier
    )

select
    one_id,
    case
        when cars_kept >= 2 or (cars_kept = 1 and orders_open > 0)
        then '复购'
        when cars_kept = 1
        then '车主'
        when orders_open > 0 or has_ordered_by_crm_only
        then '下单'
        when gone_at is not null and coalesce(last_signal_at <= gone_at, true)
        then '流失'
        when last_signal_at < {{ as_of() }} - interval '180' day
        then '流失'
        when is_deciding
        then '决策'
        when is_comparing
        then '对比'
        else '认知'
    end as lifecycle_stage,
    case
        when not has_open_lead
        then '流量池'
        when tier_pool is null or (lead_tier = 'N' and not is_called)
        then '线索池'
        else tier_pool
    end as nurture_pool,
    lead_tier,
    cars_kept > 0 as is_owner
from known
