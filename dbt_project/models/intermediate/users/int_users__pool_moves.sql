-- Grain: one row per thing that happened to a person's place: came, left, was rated,
-- waits.
with
    clock as (select as_of from {{ source("meta", "run_context") }}),

    entries as (
        select
            {{ local_date("stays.entered_at") }} as date,
            stays.nurture_pool as pool,
            {{ key_text("stays.tier_before") }} as from_tier,
            {{ key_text("stays.tier") }} as to_tier,
            {{ key_text("stays.region") }} as region,
            stays.nurture_pool <> '流量池'
            and {{ is_mature("stays.entered_at", 30) }} as is_mature,
            stays.nurture_pool = '孵化池' and stays.tier in ('B', 'C', 'N') as is_low,
            {{ in_window("stays.raised_at", "stays.entered_at", 30) }} as is_raised,
            {{ in_window("stays.lost_at", "stays.entered_at", 30) }} as is_lost
        from {{ ref("int_users__pool_stays") }} as stays
        cross join clock
        where stays.entered_at < clock.as_of
    )

select
    date,
    pool,
    from_tier,
    to_tier,
    region,
    true as is_entry,
    is_mature and is_low as is_upgrade_anchor,
    coalesce(is_raised, false) as is_upgrade,
    is_mature as is_leak_anchor,
    coalesce(is_lost, false) as is_leak,
    cast(null as double) as dwell_days,
    false as is_promise_anchor,
    false as is_promise_kept,
    false as is_followed,
    false as is_gap
from entries
union all
select
    {{ local_date("left_at") }},
    nurture_pool,
    {{ key_text("last_tier") }},
    {{ key_text("tier_after") }},
    {{ key_text("last_region") }},
    false,
    false,
    false,
    false,
    false,
    cast({{ dbt.datediff("entered_at", "left_at", "second") }} as double) / 86400,
    false,
    false,
    false,
    false
from {{ ref("int_users__pool_stays") }}
where left_at is not null
union all
select
    {{ local_date("promises.valid_from") }},
    promises.nurture_pool,
    {{ key_text("promises.tier_before") }},
    promises.tier,
    {{ key_text("promises.region") }},
    false,
    false,
    false,
    false,
    false,
    null,
    promises.due_at <= clock.as_of,
    coalesce(
        promises.ordered_at >= promises.valid_from
        and promises.ordered_at < promises.due_at,
        false
    ),
    false,
    false
from {{ ref("int_users__promises") }} as promises
cross join clock
where promises.due_at is not null
union all
select
    {{ last_date() }},
    open_leads.nurture_pool,
    open_leads.tier,
    open_leads.tier,
    {{ key_text("open_leads.region") }},
    false,
    false,
    false,
    false,
    false,
    null,
    false,
    false,
    true,
    open_leads.follow_up_due_at <= clock.as_of
from {{ ref("int_users__open_leads") }} as open_leads
cross join clock
where open_leads.follow_up_due_at is not null
