-- Grain: one row per month up to as-of.
{%- set no_end = "timestamp '9999-01-01 00:00:00'" %}
with
    -- two cars of one moment would be placed one way here and the other way below
    held as (
        select one_id, valid_from, max(coalesce(valid_to, {{ no_end }})) as valid_to
        from {{ ref("int_users__ownerships") }}
        group by one_id, valid_from
    ),

    covered as (
        select
            *,
            max(valid_to) over (
                partition by one_id
                order by valid_from
                rows between unbounded preceding and 1 preceding
            ) as covered_to
        from held
    ),

    numbered as (
        select
            one_id,
            valid_from,
            valid_to,
            sum(case when covered_to >= valid_from then 0 else 1 end) over (
                partition by one_id
                order by valid_from
                rows between unbounded preceding and current row
            ) as period
        from covered
    ),

    -- from when to when a person had any car
    periods as (
        select one_id, min(valid_from) as valid_from, max(valid_to) as valid_to
        from numbered
        group by one_id, period
    ),

    changes as (
        select valid_from as changed_at, 1 as step
        from periods
        union all
        select valid_to, -1
        from periods
        where valid_to < {{ no_end }}
    ),

    -- the first month at whose start the change has been made
    steps as (
        select
            cast(
                date_trunc(
                    'month',
                    changed_at
                    + interval '8' hour
                    - interval '1' microsecond
                    + interval '1' month
                ) as date
            ) as month,
            sum(step) as step
        from changes
        group by 1
    ),

    months as (
        select date as month
        from {{ ref("int_dates") }}
        where
            date = cast(date_trunc('month', date) as date)
            and date <= {{ local_date(as_of()) }}
    )

select months.month, cast(coalesce(sum(steps.step), 0) as bigint) as owners
from months
left join steps on steps.month <= months.month
group by months.month
