-- Grain: one row per person and period in one stage of the lifecycle.
-- A row holds after valid_from, up to and including valid_to (null: still), so that
-- what happens at a midnight belongs to the day that begins.
{% set kinds = [
    "owning",
    "bought",
    "ordered",
    "gone",
    "active",
    "deciding",
    "comparing",
] %}

with
    periods as (
        select one_id, kind, valid_from, valid_to
        from {{ ref("int_users__car_periods") }}
        union all
        select one_id, kind, valid_from, valid_to
        from {{ ref("int_users__interest_periods") }}
    ),

    edges as (
        select one_id, kind, valid_from as moment, 1 as step
        from periods
        union all
        select one_id, kind, valid_to, -1
        from periods
        where valid_to < {{ as_of() }}
        union all
        select
            one_id,
            'seen',
            case
                when first_seen_at < {{ as_of() }} then first_seen_at else {{ as_of() }}
            end,
            1
        from {{ ref("int_users__persons") }}
    ),

    moments as (
        select
            one_id,
            moment,
            {% for kind in kinds %}
                sum(case when kind = '{{ kind }}' then step else 0 end) as {{ kind }},
            {% endfor %}
            sum(case when kind like 'viewed %' then step else 0 end) as viewed,
            sum(case when kind = 'active' and step = 1 then 1 else 0 end) as began
        from edges
        group by one_id, moment
    ),

    counted as (
        select
            one_id,
            moment,
            {% for kind in kinds + ["viewed", "began"] %}
                sum({{ kind }}) over (
                    partition by one_id
                    order by moment
                    rows between unbounded preceding and current row
                ) as {{ kind }}
                {% if not loop.last %}, {% endif %}
            {% endfor %}
        from moments
    ),

    staged as (
        select
            one_id,
            moment,
            case
                when owning > 0 and (bought >= 2 or ordered > 0)
                then '复购'
                when owning > 0
                then '车主'
                when ordered > 0
                then '下单'
                when gone > 0 or (began > 0 and active = 0)
                then '流失'
                when deciding > 0
                then '决策'
                when comparing > 0 or viewed >= 2
                then '对比'
                else '认知'
            end as lifecycle_stage
        from counted
    ),

    compared as (
        select
            *,
            lag(lifecycle_stage) over (
                partition by one_id order by moment
            ) as stage_before
        from staged
    )

select
    one_id,
    moment as valid_from,
    lead(moment) over (partition by one_id order by moment) as valid_to,
    lifecycle_stage
from compared
where stage_before is null or stage_before <> lifecycle_stage
