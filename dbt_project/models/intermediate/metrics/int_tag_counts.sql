-- Grain: one row per tag, value, what it is compared as now and before, whether it is
-- had now and was before, and whether its persons are in int_tag_states.
-- Why: most tags of most persons stay as they are. Of those a row is a person, and
-- counting rows takes no table of persons.
with
    rows_of_now as (
        select
            tag_id,
            value,
            valid_from
            < cast({{ local_date(as_of()) }} as timestamp)
            - interval '8' hour as had_before,
            count(*) as persons
        from {{ ref("fct_user_tags") }}
        where valid_to is null
        group by 1, 2, 3
        union all
        select tag_id, value, had_before, - count(*)
        from {{ ref("int_tag_moves") }}
        where has_now
        group by tag_id, value, had_before
    ),

    standing as (
        select tag_id, value, had_before, sum(persons) as persons
        from rows_of_now
        group by tag_id, value, had_before
        having sum(persons) > 0
    ),

    of_both as (
        select
            standing.tag_id,
            {{ tag_value("standing.value", "listed.value_type") }} as value,
            {{ tag_bucket("standing.value", "listed.value_type") }} as bucket,
            standing.had_before,
            standing.persons
        from standing
        inner join
            {{ ref("dim_tags") }} as listed
            on listed.tag_id = standing.tag_id
            and listed.status = 'published'
    )

select
    tag_id,
    value,
    bucket as bucket_now,
    case when had_before then bucket end as bucket_before,
    1 as has_now,
    case when had_before then 1 else 0 end as had_before,
    false as is_changed,
    cast(sum(persons) as bigint) as persons
from of_both
group by tag_id, value, bucket, had_before
union all
select tag_id, value, bucket_now, bucket_before, has_now, had_before, true, count(*)
from {{ ref("int_tag_states") }}
group by tag_id, value, bucket_now, bucket_before, has_now, had_before
