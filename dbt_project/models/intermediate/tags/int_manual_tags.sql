-- Grain: one row per person and hand-set tag that stands at as-of.
-- The last word about a person counts, delivered or said at the command line, and
-- whatever names the person.
with
    words as (
        select
            holders.one_id,
            tags.tag_id,
            tags.value,
            tags.updated_at as said_at,
            tags.expires_at,
            'delivery' as said_by,
            tags.record_key as tie
        from {{ ref("stg_crm__manual_tags") }} as tags
        inner join
            {{ ref("int_manual_tags__holders") }} as holders
            on holders.identifier_type = tags.identifier_type
            and holders.identifier_value = tags.identifier_value
        where holders.one_id is not null and tags.updated_at < {{ as_of() }}
        union all
        -- recorded decisions hold in every build, also in one that looks from earlier
        select
            one_id,
            tag_id,
            value,
            said_at,
            expires_at,
            'command' as said_by,
            cast(1000000000000 + statement_id as varchar) as tie
        from {{ ref("int_manual_tags__said") }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by one_id, tag_id order by said_at desc, said_by, tie desc
            ) as place
        from words
    )

select
    one_id,
    tag_id,
    value,
    coalesce({{ clean_boolean("value") }}, true) as is_set,
    -- facts are what happened before as-of
    case
        when said_at < {{ as_of() }}
        then said_at
        else {{ as_of() }} - interval '1' second
    end as updated_at,
    expires_at,
    said_by
from ranked
where
    place = 1
    and value is not null
    and (expires_at is null or expires_at > {{ as_of() }})
