-- Grain: one row per source entity that a contract describes.
-- Why: how recent the data behind the shared tables is, and which source is overdue.
with
    arrivals as (
        select
            source,
            entity,
            -- seen from as-of, nothing was delivered later
            max(least(delivered_at, {{ as_of() }})) as last_delivered_at,
            max(loaded_at) filter (where status = 'loaded') as last_loaded_at,
            max(max_event_at) filter (where status = 'loaded') as event_time_reached_at
        from {{ source("meta", "deliveries") }}
        group by source, entity
    )

select
    contracts.source,
    contracts.entity,
    contracts.owner,
    case
        when arrivals.last_delivered_at is null
        then 'never'
        when
            arrivals.last_delivered_at
            + contracts.fresh_within_minutes * interval '1' minute
            >= {{ as_of() }}
        then 'fresh'
        else 'late'
    end as status,
    contracts.fresh_within_minutes,
    arrivals.last_delivered_at,
    arrivals.last_loaded_at,
    arrivals.event_time_reached_at
from {{ source("meta", "contracts") }} as contracts
left join
    arrivals
    on arrivals.source = contracts.source
    and arrivals.entity = contracts.entity
