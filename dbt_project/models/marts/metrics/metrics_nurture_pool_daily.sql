-- Grain: one row per local date, pool, rating before, rating after and region.
-- Why: whether low interest is raised to high interest, where it leaks away, and
-- whether ratings keep what they promise.
{%- set keys = ["date", "pool", "from_tier", "to_tier", "region"] %}
{%- set facts = [
    "pool_size",
    "is_entry",
    "is_upgrade_anchor",
    "is_upgrade",
    "is_leak_anchor",
    "is_leak",
    "dwell_days",
    "is_promise_anchor",
    "is_promise_kept",
    "is_followed",
    "is_gap",
] %}
with
    rows_of_facts as (
        select
            {{ keys | join(", ") }},
            pool_size,
            false as is_entry,
            false as is_upgrade_anchor,
            false as is_upgrade,
            false as is_leak_anchor,
            false as is_leak,
            cast(null as double) as dwell_days,
            false as is_promise_anchor,
            false as is_promise_kept,
            false as is_followed,
            false as is_gap
        from {{ ref("int_users__pool_sizes") }}
        union all
        select {{ keys | join(", ") }}, 0, {{ facts[1:] | join(", ") }}
        from {{ ref("int_users__pool_moves") }}
    )

select
    {{ keys | join(", ") }},
    cast(sum(pool_size) as bigint) as pool_size,
    count(*) filter (where is_entry) as entrants,
    {{ ratio("upgrade_rate_30d", "is_upgrade", "is_upgrade_anchor") }},
    {{ ratio("pool_leak_rate_30d", "is_leak", "is_leak_anchor") }},
    count(dwell_days) as exits,
    {{ percentiles("dwell_days", "dwell_days") }},
    {{ ratio("tier_precision", "is_promise_kept", "is_promise_anchor") }},
    {{ ratio("nurture_touch_gap", "is_gap", "is_followed") }}
from rows_of_facts
group by {{ keys | join(", ") }}
