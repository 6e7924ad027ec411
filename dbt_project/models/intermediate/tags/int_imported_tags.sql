-- Grain: one row per person and imported tag that stands at as-of.
-- Of several records of a person the value that was set last counts.
with
    ranked as (
        select
            records.one_id,
            imports.tag_id,
            imports.value,
            cast(imports.set_on as timestamp) - interval '8' hour as updated_at,
            cast(imports.expires_on as timestamp) - interval '8' hour as expires_at,
            row_number() over (
                partition by records.one_id, imports.tag_id
                order by
                    imports.set_on desc,
                    imports.source desc,
                    imports.entity desc,
                    imports.record_key desc,
                    imports.value desc
            ) as place
        from {{ ref("tag_imports") }} as imports
        inner join
            {{ ref("bridge_user_records") }} as records
            on records.source = imports.source
            and records.entity = imports.entity
            and records.record_key = imports.record_key
        where cast(imports.set_on as timestamp) - interval '8' hour < {{ as_of() }}
    )

select
    one_id,
    tag_id,
    value,
    coalesce({{ clean_boolean("value") }}, true) as is_set,
    updated_at,
    expires_at
from ranked
where place = 1 and (expires_at is null or expires_at > {{ as_of() }})
