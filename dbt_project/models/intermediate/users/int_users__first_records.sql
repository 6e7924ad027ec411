-- Grain: one row per person.
-- Lots are drawn by the record that a person was first met by: unlike the id of a
-- person it does
-- not depend on the order in which deliveries came.
with
    records as (
        select
            bridge.one_id,
            bridge.source || '|' || bridge.entity || '|' || bridge.record_key as record,
            row_number() over (
                partition by bridge.one_id
                order by
                    coalesce(records.first_seen_at, timestamp '9999-12-31 00:00:00'),
                    bridge.source,
                    bridge.entity,
                    bridge.record_key
            ) as place
        from {{ ref("bridge_user_records") }} as bridge
        left join
            {{ ref("int_identity_records") }} as records
            on records.source = bridge.source
            and records.entity = bridge.entity
            and records.record_key = bridge.record_key
    )

select one_id, record
from records
where place = 1
