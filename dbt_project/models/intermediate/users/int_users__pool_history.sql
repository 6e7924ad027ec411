-- Grain: one row per person and period in one pool, with one rating at one dealer.
-- A row holds after valid_from, up to and including valid_to (null: still), so that
-- what happens at a midnight belongs to the day that begins.
with
    leads as (select * from {{ ref("int_users__leads") }}),

    tiers as (select * from {{ ref("int_users__lead_tiers") }}),

    moments as (
        select lead_id, valid_from as moment
        from tiers
        union
        select lead_id, called_at
        from leads
        where called_at is not null
        union
        select lead_id, lost_at
        from leads
        where lost_at is not null
    ),

    -- where a person stands by the latest lead, while it is the latest
    states as (
        select
            leads.one_id,
            moments.moment,
            tiers.tier,
            leads.dealer_code,
            leads.region,
            case
                when leads.lost_at <= moments.moment
                then '流量池'
                when
                    pools.pool is null
                    or (
                        tiers.tier = 'N'
                        and not coalesce(leads.called_at <= moments.moment, false)
                    )
                then '线索池'
                else pools.pool
            end as pool
        from moments
        inner join leads on leads.lead_id = moments.lead_id
        inner join
            tiers
            on tiers.lead_id = moments.lead_id
            and tiers.valid_from <= moments.moment
            and (tiers.valid_to is null or tiers.valid_to > moments.moment)
        left join {{ ref("tier_pools") }} as pools on pools.tier = tiers.tier
        where
            moments.moment < {{ as_of() }}
            and (leads.succeeded_at is null or moments.moment < leads.succeeded_at)
    ),

    firsts as (select one_id, min(moment) as moment from states group by one_id),

    known as (
        select *
        from states
        union all
        -- before the first lead, and of everybody without one
        select
            persons.one_id,
            case
                when persons.first_seen_at < {{ as_of() }}
                then persons.first_seen_at
                else {{ as_of() }}
            end,
            null,
            null,
            null,
            '流量池'
        from {{ ref("int_users__persons") }} as persons
        left join firsts on firsts.one_id = persons.one_id
        where firsts.one_id is null or persons.first_seen_at < firsts.moment
    ),

    compared as (
        select
            *,
            row_number() over (partition by one_id order by moment) as place,
            lag(
                concat_ws('|', pool, coalesce(tier, ''), coalesce(dealer_code, ''))
            ) over (partition by one_id order by moment) as state_before
        from known
    )

select
    one_id,
    moment as valid_from,
    lead(moment) over (partition by one_id order by moment) as valid_to,
    pool as nurture_pool,
    tier as lead_tier,
    dealer_code,
    region
from compared
where
    place = 1
    or concat_ws('|', pool, coalesce(tier, ''), coalesce(dealer_code, ''))
    <> state_before
