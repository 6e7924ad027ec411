-- Grain: one row per person, tag, value and period in which it was published so.
-- As of any moment within the history of a tag, its rows with valid_from <= moment and
-- valid_to > moment (or null) are what the last snapshot until then said, under the
-- one_ids of then. Runs of one as-of replace each other.
with
    tags as (select * from {{ ref("dim_tags") }}),

    redirects as (select * from {{ source("identity", "redirects") }}),

    -- what a run of this as-of said is said anew
    past as (
        select
            one_id,
            tag_id,
            tag_version,
            value,
            source,
            valid_from,
            case when valid_to < {{ as_of() }} then valid_to end as valid_to,
            coalesce(held_since, valid_from) as held_since
        from {{ source("tags", "history") }}
        where valid_from < {{ as_of() }}
    ),

    held as (
        select
            held.one_id,
            held.tag_id,
            tags.tag_version,
            held.value,
            case
                when tags.kind not in ('manual', 'import')
                then 'rule'
                when tags.kind = 'manual' and manual.said_by = 'command'
                then 'command'
                else tags.kind
            end as source
        from {{ ref("int_tags__held") }} as held
        inner join tags on tags.tag_id = held.tag_id
        left join
            {{ ref("int_manual_tags") }} as manual
            on manual.one_id = held.one_id
            and manual.tag_id = held.tag_id
    ),

    -- without a break, also under an id that was merged and by another version of the
    -- rule
    since as (
        select
            coalesce(redirects.one_id, past.one_id) as one_id,
            past.tag_id,
            past.value,
            min(past.held_since) as held_since
        from past
        left join redirects on redirects.retired_one_id = past.one_id
        where past.valid_to is null
        group by 1, 2, 3
    ),

    periods as (
        select
            held.one_id,
            held.tag_id,
            held.tag_version,
            held.value,
            coalesce(past.valid_from, {{ as_of() }}) as valid_from,
            cast(null as timestamp) as valid_to,
            held.source,
            coalesce(since.held_since, {{ as_of() }}) as held_since
        from held
        left join
            past
            on past.one_id = held.one_id
            and past.tag_id = held.tag_id
            and past.tag_version = held.tag_version
            and past.value = held.value
            and past.source = held.source
            and past.valid_to is null
        left join
            since
            on since.one_id = held.one_id
            and since.tag_id = held.tag_id
            and since.value = held.value
        union all
        select
            past.one_id,
            past.tag_id,
            past.tag_version,
            past.value,
            past.valid_from,
            coalesce(past.valid_to, {{ as_of() }}) as valid_to,
            past.source,
            past.held_since
        from past
        left join
            held
            on held.one_id = past.one_id
            and held.tag_id = past.tag_id
            and held.tag_version = past.tag_version
            and held.value = past.value
            and held.source = past.source
        where past.valid_to is not null or held.one_id is null
    )

-- what is over is kept for as long as the tag says, and of persons who are known
select
    periods.one_id,
    periods.tag_id,
    periods.tag_version,
    periods.value,
    periods.valid_from,
    periods.valid_to,
    periods.source,
    periods.held_since
from periods
inner join tags on tags.tag_id = periods.tag_id
left join {{ ref("dim_users") }} as users on users.one_id = periods.one_id
left join redirects on redirects.retired_one_id = periods.one_id
where
    periods.valid_to is null
    or (
        {{ dbt.datediff("periods.valid_to", as_of(), "day") }} <= tags.history_days
        and (users.one_id is not null or redirects.one_id is not null)
    )
