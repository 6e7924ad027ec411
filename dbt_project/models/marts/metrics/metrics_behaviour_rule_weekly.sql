-- Grain: one row per week of the hit, rule and series with a hit.
-- Why: whether behaviour announces an inquiry as often as is claimed, and how much more
-- often than without it.
with
    persons as (
        select rule, week, series_code, true as is_hit, is_mature, has_inquired
        from {{ ref("int_behaviour_rules__hits") }}
        union all
        select rule, week, series_code, false, is_mature, has_inquired
        from {{ ref("int_behaviour_rules__matched") }}
    ),

    counted as (
        select
            week,
            rule,
            series_code,
            count(*) filter (where is_hit) as rule_hits,
            {{
                ratio(
                    "rule_precision_72h",
                    "has_inquired",
                    "is_hit and is_mature",
                )
            }},
            {{
                ratio(
                    "base_rate_72h",
                    "has_inquired",
                    "not is_hit and is_mature",
                )
            }}
        from persons
        group by week, rule, series_code
    ),

    arms as (
        select
            week,
            rule,
            series_code,
            {{
                ratio(
                    "contact_uplift_contacted",
                    "has_responded",
                    "is_mature and not is_held_out and is_contacted",
                )
            }},
            {{
                ratio(
                    "contact_uplift_offered",
                    "has_responded",
                    "is_mature and not is_held_out",
                )
            }},
            {{
                ratio(
                    "contact_uplift_holdout",
                    "has_responded",
                    "is_mature and is_held_out",
                )
            }}
        from {{ ref("int_behaviour_rules__arms") }}
        group by week, rule, series_code
    )

select
    counted.week,
    counted.rule,
    counted.series_code,
    counted.rule_hits,
    counted.rule_precision_72h_num,
    counted.rule_precision_72h_den,
    counted.rule_precision_72h,
    {% for side, name in [(-1, "low"), (1, "high")] %}
        {{
            wilson_bound(
                "counted.rule_precision_72h_num",
                "counted.rule_precision_72h_den",
                side,
            )
        }} as rule_precision_72h_{{ name }},
    {% endfor %}
    counted.base_rate_72h_num,
    counted.base_rate_72h_den,
    counted.base_rate_72h,
    counted.rule_precision_72h / nullif(counted.base_rate_72h, 0) as lift,
    rules.claimed,
    {% for arm in ["contacted", "offered", "holdout"] %}
        arms.contact_uplift_{{ arm }}_num,
        arms.contact_uplift_{{ arm }}_den,
        arms.contact_uplift_{{ arm }},
    {% endfor %}
    arms.contact_uplift_contacted - arms.contact_uplift_holdout as contact_uplift,
    {% for side, name in [(-1, "low"), (1, "high")] %}
        {{
            difference_bound(
                "arms.contact_uplift_contacted_num",
                "arms.contact_uplift_contacted_den",
                "arms.contact_uplift_holdout_num",
                "arms.contact_uplift_holdout_den",
                side,
            )
        }} as contact_uplift_{{ name }} {%- if not loop.last %},{% endif %}
    {% endfor %}
from counted
inner join
    arms
    on arms.week = counted.week
    and arms.rule = counted.rule
    and arms.series_code = counted.series_code
left join
    {{ ref("behaviour_rules") }} as rules
    on rules.rule = counted.rule
    and rules.valid_from <= counted.week
    and (rules.valid_to is null or counted.week < rules.valid_to)
