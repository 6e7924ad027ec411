-- Grain: one row per tag that somebody has now, or had when the local day of as-of
-- began.
with
    persons as (
        select
            one_id,
            tag_id,
            max(has_now) as has_now,
            max(had_before) as had_before,
            max(had_before * (1 - has_now)) as lost_a_value
        from {{ ref("int_tag_states") }}
        group by one_id, tag_id
    ),

    counted as (
        select tag_id, has_now, had_before, lost_a_value, count(*) as persons
        from persons
        group by tag_id, has_now, had_before, lost_a_value
        union all
        select tag_id, has_now, had_before, 0, persons
        from {{ ref("int_tag_counts") }}
        where not is_changed
    )

select
    tag_id,
    cast(sum(persons * has_now) as bigint) as users,
    cast(sum(persons * had_before) as bigint) as users_before,
    cast(sum(persons * has_now * (1 - had_before)) as bigint) as entered,
    cast(sum(persons * has_now * had_before) as bigint) as stayed,
    cast(sum(persons * had_before * (1 - has_now)) as bigint) as left_behind,
    cast(sum(persons * lost_a_value) as bigint) as changed
from counted
group by tag_id
