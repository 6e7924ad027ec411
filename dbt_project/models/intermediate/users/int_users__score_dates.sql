-- Grain: one row per model in force, version and local date at whose end persons are
-- scored: the last date, and the Sundays before it.
with
    models as (
        select
            *,
            cast({{ last_date() }} as date) as last_date,
            cast(date_trunc('week', {{ local_date(as_of()) }}) as date) as this_week
        from {{ ref("score_models") }}
    )

select
    models.model,
    models.model_version,
    models.intercept,
    dates.date,
    dates.date = models.last_date as is_now,
    cast(dates.date + interval '1' day as date) as week,
    cast(dates.date + interval '1' day as timestamp) - interval '8' hour as scored_at,
    cast(dates.date + interval '1' day as timestamp)
    - interval '8' hour
    + interval '1' day * models.horizon_days
    <= {{ as_of() }} as is_mature,
    models.horizon_days
from models
inner join
    {{ ref("int_dates") }} as dates
    on dates.date >= models.valid_from
    and (models.valid_to is null or dates.date < models.valid_to)
    and (
        dates.date = models.last_date
        or (
            {{ iso_weekday("dates.date") }} = 7
            and dates.date < models.this_week
            and {{ dbt.datediff("dates.date", "models.this_week", "day") }}
            <= 7 * (models.history_weeks + 1)
        )
    )
