-- Grain: one row per model, version and week that is over.
-- Newton's method for the logistic regression of outcomes on the log-odds of scores,
-- eight steps from the line of a calibrated model. Without an answer (only one outcome,
-- one score, or no convergence) both are null.
{% set steps = 8 %}

with
    points as (
        select
            model,
            model_version,
            week,
            log_odds as x,
            cast(count(*) as double) as n,
            cast(sum(is_positive) as double) as y
        from {{ ref("int_users__outcomes") }}
        group by model, model_version, week, log_odds
    ),

    fit_0 as (
        select distinct
            model,
            model_version,
            week,
            cast(0 as double) as a,
            cast(1 as double) as b,
            cast(1 as double) as step
        from points
    ),

    {% for step in range(1, steps + 1) %}
        sums_{{ step }} as (
            select
                model,
                model_version,
                week,
                a,
                b,
                sum(y - n * p) as g0,
                sum((y - n * p) * x) as g1,
                sum(n * p * (1 - p)) as h00,
                sum(n * p * (1 - p) * x) as h01,
                sum(n * p * (1 - p) * x * x) as h11
            from
                (
                    select
                        points.*,
                        fit.a,
                        fit.b,
                        1 / (
                            1
                            + exp(- greatest(least(fit.a + fit.b * points.x, 30), -30))
                        ) as p
                    from points
                    inner join
                        fit_{{ step - 1 }} as fit
                        on fit.model = points.model
                        and fit.model_version = points.model_version
                        and fit.week = points.week
                ) as expected
            group by model, model_version, week, a, b
        ),

        fit_{{ step }} as (
            select
                model,
                model_version,
                week,
                a + (h11 * g0 - h01 * g1) / nullif(h00 * h11 - h01 * h01, 0) as a,
                b + (h00 * g1 - h01 * g0) / nullif(h00 * h11 - h01 * h01, 0) as b,
                abs((h00 * g1 - h01 * g0) / nullif(h00 * h11 - h01 * h01, 0)) as step
            from sums_{{ step }}
        ),
    {% endfor %}

    sizes as (
        select model, model_version, week, sum(y) as y, sum(n) as n, count(*) as scores
        from points
        group by model, model_version, week
    )

select
    sizes.model,
    sizes.model_version,
    sizes.week,
    case when fit.step < 0.000001 then round(fit.a, 6) end as intercept,
    case when fit.step < 0.000001 then round(fit.b, 6) end as slope
from sizes
left join
    fit_{{ steps }} as fit
    on fit.model = sizes.model
    and fit.model_version = sizes.model_version
    and fit.week = sizes.week
    and sizes.y > 0
    and sizes.y < sizes.n
    and sizes.scores > 1
