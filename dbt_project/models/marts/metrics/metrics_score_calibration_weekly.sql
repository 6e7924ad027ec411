-- Grain: one row per week, model, version and score band, weeks that are over only.
-- Why: whether what a score foresaw came about; every week is judged by points that
-- were declared before it.
with
    weeks as (
        select distinct model, model_version, week from {{ ref("int_users__outcomes") }}
    ),

    -- whole numbers add up to the same in any order
    outcomes as (
        select *, cast(round(score * 1000000) as bigint) as score_ppm
        from {{ ref("int_users__outcomes") }}
    ),

    per_band as (
        select
            model,
            model_version,
            week,
            band,
            count(*) as scored,
            sum(is_positive) as positives,
            sum(score_ppm) / 1000000.0 as expected,
            sum(
                (score_ppm - 1000000 * is_positive)
                * (score_ppm - 1000000 * is_positive)
            )
            / 1000000000000.0 as squared_error,
            sum(case when is_top then is_positive else 0 end) as top_positives,
            count(*) filter (where is_top) as top_scored
        from outcomes
        group by model, model_version, week, band
    ),

    filled as (
        select
            weeks.model,
            weeks.model_version,
            weeks.week,
            bands.band,
            coalesce(per_band.scored, 0) as scored,
            coalesce(per_band.positives, 0) as positives,
            coalesce(per_band.expected, 0) as expected,
            coalesce(per_band.squared_error, 0) as squared_error,
            coalesce(per_band.top_positives, 0) as top_positives,
            coalesce(per_band.top_scored, 0) as top_scored
        from weeks
        cross join {{ ref("score_bands") }} as bands
        left join
            per_band
            on per_band.model = weeks.model
            and per_band.model_version = weeks.model_version
            and per_band.week = weeks.week
            and per_band.band = bands.band
    ),

    totals as (
        select
            *,
            sum(scored) over (partition by model, model_version, week) as week_scored,
            lag(week) over (
                partition by model, model_version, band order by week
            ) as week_before,
            lag(scored) over (
                partition by model, model_version, band order by week
            ) as scored_before
        from filled
    ),

    -- an empty band would make the index infinite: as is usual, it counts as 0.01 %
    shares as (
        select
            *,
            greatest(cast(scored as double) / week_scored, 0.0001) as share,
            greatest(
                cast(scored_before as double) / nullif(
                    sum(scored_before) over (partition by model, model_version, week), 0
                ),
                0.0001
            ) as share_before
        from totals
    )

select
    shares.week,
    shares.model,
    shares.model_version as version,
    shares.band as score_band,
    cast(shares.scored as bigint) as scored,
    cast(shares.positives as bigint) as positive_rate_num,
    cast(shares.scored as bigint) as positive_rate_den,
    cast(shares.positives as double) / nullif(shares.scored, 0) as positive_rate,
    shares.expected / nullif(shares.scored, 0) as mean_score,
    shares.squared_error / nullif(shares.scored, 0) as brier,
    abs(shares.expected - shares.positives) / shares.week_scored as ece_10,
    cast(shares.top_positives as bigint) as topk_capture_num,
    cast(shares.positives as bigint) as topk_capture_den,
    cast(shares.top_positives as double) / nullif(shares.positives, 0) as topk_capture,
    cast(shares.top_scored as bigint) as topk_scored,
    case
        when shares.week_before is not null
        then
            (shares.share - shares.share_before)
            * ln(shares.share / shares.share_before)
    end as psi,
    fit.slope,
    fit.intercept,
    {%- for feature in score_features() %}
        shifts.psi_{{ feature }}{{ "," if not loop.last }}
    {%- endfor %}
from shares
left join
    {{ ref("int_score_shifts") }} as shifts
    on shifts.model = shares.model
    and shifts.model_version = shares.model_version
    and shifts.week = shares.week
left join
    {{ ref("int_users__recalibration") }} as fit
    on fit.model = shares.model
    and fit.model_version = shares.model_version
    and fit.week = shares.week
