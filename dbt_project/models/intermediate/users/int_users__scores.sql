-- Grain: one row per person, model, version and date of scoring.
{% set features = score_features() %}

with
    steps as (
        select
            *,
            lead(at_least) over (
                partition by model, model_version, feature order by at_least
            ) as less_than
        from {{ ref("score_points") }}
    ),

    scored as (
        select
            dates.model,
            dates.model_version,
            dates.date,
            dates.is_now,
            dates.week,
            dates.scored_at,
            dates.is_mature,
            dates.horizon_days,
            dates.intercept,
            features.one_id,
            {%- for feature in features %}
                features.{{ feature }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ ref("int_users__features") }} as features
        inner join
            {{ ref("int_users__score_dates") }} as dates on dates.date = features.date
    ),

    earned as (
        {% for feature in features %}
            select
                scored.model,
                scored.model_version,
                scored.date,
                scored.one_id,
                steps.feature,
                steps.points,
                steps.reason
            from scored
            inner join
                steps
                on steps.model = scored.model
                and steps.model_version = scored.model_version
                and steps.feature = '{{ feature }}'
                and scored.{{ feature }} >= steps.at_least
                and (steps.less_than is null or scored.{{ feature }} < steps.less_than)
                {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    -- the points that weigh most come first
    ranked as (
        select
            *,
            row_number() over (
                partition by model, model_version, date, one_id
                order by abs(points) desc, feature
            ) as place
        from earned
    ),

    summed as (
        select
            model,
            model_version,
            date,
            one_id,
            sum(points) as points,
            {% for place in [1, 2, 3] %}
                max(
                    case when place = {{ place }} then reason end
                ) as reason_{{ place }}{{ "," if not loop.last }}
            {% endfor %}
        from ranked
        group by model, model_version, date, one_id
    )

select
    scored.one_id,
    scored.model,
    scored.model_version,
    scored.date,
    scored.is_now,
    scored.week,
    scored.scored_at,
    scored.is_mature,
    scored.horizon_days,
    round(scored.intercept + coalesce(summed.points, 0), 6) as log_odds,
    round(
        1 / (1 + exp(- round(scored.intercept + coalesce(summed.points, 0), 6))), 6
    ) as score,
    concat_ws('; ', summed.reason_1, summed.reason_2, summed.reason_3) as reasons
from scored
left join
    summed
    on summed.model = scored.model
    and summed.model_version = scored.model_version
    and summed.date = scored.date
    and summed.one_id = scored.one_id
