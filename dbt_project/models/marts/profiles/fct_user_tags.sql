-- Grain: one row per person, tag, value and period in which the person had it.
-- A period begins at the as-of of the run that first gave the value; while it lasts,
-- valid_to is null.
with
    held as (select * from {{ ref("int_tags__held") }}),

    -- a person who was merged since then is found under the id that is left
    history as (
        select
            coalesce(redirects.one_id, history.one_id) as one_id,
            history.tag_id,
            history.tag_version,
            history.value,
            min(history.valid_from) as valid_from
        from {{ source("tags", "history") }} as history
        left join
            {{ source("identity", "redirects") }} as redirects
            on redirects.retired_one_id = history.one_id
        group by 1, 2, 3, 4
    )

select
    held.one_id,
    held.tag_id,
    tags.tag_version,
    held.value,
    coalesce(least(history.valid_from, {{ as_of() }}), {{ as_of() }}) as valid_from,
    cast(null as timestamp) as valid_to,
    case when tags.kind in ('manual', 'import') then tags.kind else 'rule' end as source
from held
inner join {{ ref("dim_tags") }} as tags on tags.tag_id = held.tag_id
left join
    history
    on history.one_id = held.one_id
    and history.tag_id = held.tag_id
    and history.tag_version = tags.tag_version
    and history.value = held.value
