-- Grain: one row per snapshot that was made before this one, held ones included.
-- Why: when what was published, and why a snapshot was not.
select
    snapshot_id,
    run_id,
    state,
    as_of,
    identity_version,
    content_hash,
    because,
    created_at,
    published_at
from {{ source("meta", "snapshots") }}
