-- Grain: one row per person, kind of interest and period in which it lasts.
-- A sign keeps a person active for 180 days, and comparing, deciding or interested in a
-- series for 90; what overlaps is one period.
{% set bucket_seconds = 64 * 86400 %}

with
    -- signs less than a window apart are one period in any case: of each bucket, which
    -- is shorter than any window, the first and the last suffice
    gathered as (
        select
            one_id,
            kind,
            floor(
                {{ seconds_since_1970("happened_at") }} / {{ bucket_seconds }}
            ) as bucket,
            min(happened_at) as first_at,
            max(happened_at) as last_at
        from {{ ref("int_users__signals") }}
        group by 1, 2, 3
    ),

    signs as (
        select
            one_id,
            kind,
            first_at as valid_from,
            last_at + interval '90' day as valid_to
        from gathered
        where kind is not null
        union all
        select one_id, 'active', min(first_at), max(last_at) + interval '180' day
        from gathered
        group by one_id, bucket
        union all
        select one_id, kind, valid_from, valid_to
        from {{ ref("int_users__lead_periods") }}
        where kind in ('comparing', 'deciding')
    ),

    -- two of one moment would be placed one way here and the other way below
    lasting as (
        select one_id, kind, valid_from, max(valid_to) as valid_to
        from signs
        group by one_id, kind, valid_from
    ),

    placed as (
        select
            *,
            max(valid_to) over (
                partition by one_id, kind
                order by valid_from
                rows between unbounded preceding and 1 preceding
            ) as reached
        from lasting
    ),

    numbered as (
        select
            *,
            sum(
                case when reached is null or valid_from > reached then 1 else 0 end
            ) over (
                partition by one_id, kind
                order by valid_from
                rows between unbounded preceding and current row
            ) as period
        from placed
    )

select one_id, kind, min(valid_from) as valid_from, max(valid_to) as valid_to
from numbered
group by one_id, kind, period
