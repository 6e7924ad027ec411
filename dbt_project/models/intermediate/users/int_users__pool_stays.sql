-- Grain: one row per person and stay in one pool.
with
    placed as (
        select
            *,
            lag(nurture_pool) over (
                partition by one_id order by valid_from
            ) as pool_before,
            lag(lead_tier) over (
                partition by one_id order by valid_from
            ) as tier_before,
            lead(lead_tier) over (partition by one_id order by valid_from) as tier_after
        from {{ ref("int_users__pool_history") }}
    ),

    numbered as (
        select
            *,
            sum(
                case
                    when pool_before is null or pool_before <> nurture_pool
                    then 1
                    else 0
                end
            ) over (
                partition by one_id
                order by valid_from
                rows between unbounded preceding and current row
            ) as stay
        from placed
    ),

    ranked as (
        select
            *,
            row_number() over (partition by one_id, stay order by valid_from) as place,
            row_number() over (
                partition by one_id, stay order by valid_from desc
            ) as place_from_end
        from numbered
    ),

    stays as (
        select
            firsts.one_id,
            firsts.nurture_pool,
            firsts.valid_from as entered_at,
            firsts.tier_before,
            firsts.lead_tier as tier,
            firsts.region,
            lasts.valid_to as left_at,
            lasts.lead_tier as last_tier,
            lasts.tier_after,
            lasts.region as last_region
        from ranked as firsts
        inner join
            ranked as lasts
            on lasts.one_id = firsts.one_id
            and lasts.stay = firsts.stay
            and lasts.place_from_end = 1
        where firsts.place = 1
    ),

    later as (
        select
            stays.one_id,
            stays.entered_at,
            min(
                case when history.lead_tier in ('H', 'A') then history.valid_from end
            ) as raised_at,
            -- who has the car has not been lost
            min(
                case
                    when
                        history.nurture_pool = '流量池'
                        and coalesce(history.lead_tier, '') <> 'D'
                    then history.valid_from
                end
            ) as lost_at
        from stays
        inner join
            {{ ref("int_users__pool_history") }} as history
            on history.one_id = stays.one_id
            and history.valid_from >= stays.entered_at
        group by stays.one_id, stays.entered_at
    )

select stays.*, later.raised_at, later.lost_at
from stays
inner join later on later.one_id = stays.one_id and later.entered_at = stays.entered_at
