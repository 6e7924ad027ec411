-- Grain: one row per person and period of local dates at whose ends they were in one
-- pool with one rating, by the lead at one dealer.
with
    dated as (
        select
            one_id,
            nurture_pool,
            {{ key_text("lead_tier") }} as tier,
            {{ key_text("region") }} as region,
            {{ day_period("valid_from", "valid_to") }}
        from {{ ref("int_users__pool_history") }}
    )

select
    one_id,
    nurture_pool,
    tier,
    region,
    date_from,
    date_to,
    coalesce(lag(tier) over (partition by one_id order by date_from), '') as tier_before
from dated
where date_from < date_to
