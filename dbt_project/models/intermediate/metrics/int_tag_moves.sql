-- Grain: one row per row of fct_user_tags that ended since the local day of as-of
-- began, that holds beside one that ended, or that holds of a list.
-- One_ids are those of now.
-- Why: of all others a row is a person who has the tag, so that counting rows will do.
with
    moment as (
        select
            cast({{ local_date(as_of()) }} as timestamp)
            - interval '8' hour as day_began_at
    ),

    ended as (
        select
            coalesce(redirects.one_id, tags.one_id) as one_id,
            tags.tag_id,
            tags.value,
            tags.valid_from < moment.day_began_at as had_before
        from {{ ref("fct_user_tags") }} as tags
        inner join moment on tags.valid_to >= moment.day_began_at
        left join
            {{ source("identity", "redirects") }} as redirects
            on redirects.retired_one_id = tags.one_id
    ),

    lists as (select tag_id from {{ ref("dim_tags") }} where value_type = 'list'),

    changed as (
        select distinct one_id, tag_id
        from ended
        where tag_id not in (select tag_id from lists)
    ),

    -- what holds is under the ids of now
    standing as (
        select tags.one_id, tags.tag_id, tags.value, tags.valid_from
        from {{ ref("fct_user_tags") }} as tags
        inner join
            changed on changed.one_id = tags.one_id and changed.tag_id = tags.tag_id
        where tags.valid_to is null
        union all
        select tags.one_id, tags.tag_id, tags.value, tags.valid_from
        from {{ ref("fct_user_tags") }} as tags
        inner join lists on lists.tag_id = tags.tag_id
        where tags.valid_to is null
    )

select one_id, tag_id, value, false as has_now, had_before
from ended
union all
select
    standing.one_id,
    standing.tag_id,
    standing.value,
    true,
    standing.valid_from < moment.day_began_at
from standing
cross join moment
