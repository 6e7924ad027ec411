-- Grain: one row per person and hand-set tag that stands at as-of.
-- The last word about a person counts, whichever identifier it names.
with
    ranked as (
        select
            holders.one_id,
            tags.tag_id,
            tags.value,
            tags.updated_at,
            tags.expires_at,
            row_number() over (
                partition by holders.one_id, tags.tag_id
                order by tags.updated_at desc, tags.record_key desc
            ) as place
        from {{ ref("stg_crm__manual_tags") }} as tags
        inner join
            {{ ref("int_manual_tags__holders") }} as holders
            on holders.identifier_type = tags.identifier_type
            and holders.identifier_value = tags.identifier_value
        where holders.one_id is not null and tags.updated_at < {{ as_of() }}
    )

select
    one_id,
    tag_id,
    value,
    coalesce({{ clean_boolean("value") }}, true) as is_set,
    updated_at,
    expires_at
from ranked
where
    place = 1
    and value is not null
    and (expires_at is null or expires_at > {{ as_of() }})
