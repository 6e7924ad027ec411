-- Grain: one row per model, version and week that is over.
-- Why: a score that moves is explained by the feature that moved. What a step of points
-- begins and ends is a bin, and so is all below the first step.
{% set features = score_features() %}

with
    dates as (
        select model, model_version, date, week
        from {{ ref("int_users__score_dates") }}
        where is_mature
    ),

    bins as (
        select
            model,
            model_version,
            feature,
            at_least,
            lead(at_least) over (
                partition by model, model_version, feature order by at_least
            ) as less_than
        from {{ ref("score_points") }}
        union all
        select model, model_version, feature, null, min(at_least)
        from {{ ref("score_points") }}
        group by model, model_version, feature
    ),

    -- few persons differ in all of these counts: one pass over them all
    alike as (
        select date, {{ features | join(", ") }}, count(*) as persons
        from {{ ref("int_users__features") }}
        group by date, {{ features | join(", ") }}
    ),

    held as (
        {% for feature in features %}
            select
                date,
                '{{ feature }}' as feature,
                {{ feature }} as held,
                sum(persons) as persons
            from alike
            group by date, {{ feature }} {{ "union all" if not loop.last }}
        {% endfor %}
    ),

    per_bin as (
        select
            dates.model,
            dates.model_version,
            dates.week,
            bins.feature,
            bins.at_least,
            sum(
                case
                    when
                        held.held >= coalesce(bins.at_least, held.held)
                        and held.held < coalesce(bins.less_than, held.held + 1)
                    then held.persons
                    else 0
                end
            ) as persons
        from dates
        inner join
            bins
            on bins.model = dates.model
            and bins.model_version = dates.model_version
        inner join held on held.date = dates.date and held.feature = bins.feature
        group by 1, 2, 3, 4, 5
    ),

    compared as (
        select
            *,
            lag(persons) over (
                partition by model, model_version, feature, at_least order by week
            ) as persons_before,
            sum(persons) over (
                partition by model, model_version, feature, week
            ) as everybody
        from per_bin
    ),

    -- an empty bin would make the index infinite: as is usual, it counts as 0.01 %
    shares as (
        select
            *,
            greatest(cast(persons as double) / everybody, 0.0001) as share,
            greatest(
                cast(persons_before as double) / nullif(
                    sum(persons_before) over (
                        partition by model, model_version, feature, week
                    ),
                    0
                ),
                0.0001
            ) as share_before
        from compared
    )

select
    model,
    model_version,
    week,
    {%- for feature in features %}
        -- rounded, since the order in which bins are added up is not fixed
        round(
            sum(
                case
                    when feature = '{{ feature }}' and persons_before is not null
                    then (share - share_before) * ln(share / share_before)
                end
            ),
            9
        ) as psi_{{ feature }}{{ "," if not loop.last }}
    {%- endfor %}
from shares
group by model, model_version, week
