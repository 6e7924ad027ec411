-- Grain: one row per date, tag and value; date is the local date of as-of.
-- A tag that nobody has keeps one row, value (none), so that its disappearance is seen.
-- Numbers and dates are not spread over values: they share the value (any).
with
    population as (select count(*) as persons from {{ ref("dim_users") }}),

    tags as (select * from {{ ref("dim_tags") }} where status = 'published'),

    held as (
        select
            held.tag_id,
            held.one_id,
            case
                when tags.value_type in ('boolean', 'text', 'list')
                then held.value
                else '(any)'
            end as value
        from {{ ref("fct_user_tags") }} as held
        inner join tags on tags.tag_id = held.tag_id
        where held.valid_to is null
    ),

    per_value as (
        select tag_id, value, count(distinct one_id) as users
        from held
        group by tag_id, value
    ),

    per_tag as (
        select tag_id, count(distinct one_id) as users from held group by tag_id
    )

select
    {{ local_date(as_of()) }} as date,
    tags.tag_id,
    tags.tag_version,
    coalesce(per_value.value, '(none)') as value,
    coalesce(per_value.users, 0) as users,
    coalesce(per_value.users, 0) as user_share_num,
    population.persons as user_share_den,
    cast(coalesce(per_value.users, 0) as double)
    / nullif(population.persons, 0) as user_share,
    coalesce(per_tag.users, 0) as coverage_num,
    population.persons as coverage_den,
    cast(coalesce(per_tag.users, 0) as double)
    / nullif(population.persons, 0) as coverage
from tags
cross join population
left join per_value on per_value.tag_id = tags.tag_id
left join per_tag on per_tag.tag_id = tags.tag_id
