-- Grain: one row per snapshot, this one and all that were made before it, held ones
-- included.
-- Why: when what was published, and why a snapshot was not.
with
    measured as (
        select
            run_id,
            max(
                case when measure = 'metrics.rows_loaded' then value end
            ) as rows_loaded,
            max(case when measure = 'identity.persons' then value end) as users
        from {{ source("meta", "gate_measures") }}
        group by run_id
    ),

    earlier as (
        select
            snapshots.snapshot_id,
            snapshots.run_id,
            -- who reads this has this snapshot before them, and no longer the one
            -- before it
            case
                when snapshots.state = 'published'
                then 'superseded'
                else snapshots.state
            end as state,
            snapshots.as_of,
            snapshots.identity_version,
            snapshots.content_hash,
            snapshots.because,
            cast(measured.rows_loaded as bigint) as rows_loaded,
            cast(measured.users as bigint) as users,
            snapshots.created_at,
            snapshots.published_at
        from {{ source("meta", "snapshots") }} as snapshots
        left join measured on measured.run_id = snapshots.run_id
    ),

    this as (
        select
            next_snapshot.snapshot_id,
            next_snapshot.run_id,
            'published' as state,
            next_snapshot.as_of,
            version.identity_version,
            cast(null as varchar) as content_hash,
            cast(null as varchar) as because,
            (
                select cast(sum(rows_loaded) as bigint) from {{ ref("meta_ledger") }}
            ) as rows_loaded,
            (select count(*) from {{ ref("dim_users") }}) as users,
            next_snapshot.created_at,
            cast(null as timestamp) as published_at
        from {{ source("meta", "next_snapshot") }} as next_snapshot
        cross join {{ source("identity", "version") }} as version
    )

select *
from earlier
union all
select *
from this
