-- Grain: one row per person, tag and value that the person has now, or had when the
-- local day of as-of began; under the one_ids of now.
-- Numbers and dates are not spread over values: they share the value (any), and are
-- compared by their order of magnitude.
{{ config(materialized="view") }}
with
    moment as (
        select
            cast({{ local_date(as_of()) }} as timestamp)
            - interval '8' hour as day_began_at
    ),

    rows_of_both as (
        select
            coalesce(redirects.one_id, tags.one_id) as one_id,
            tags.tag_id,
            case
                when listed.value_type in ('boolean', 'text', 'list')
                then tags.value
                else '(any)'
            end as value,
            case
                when listed.value_type in ('boolean', 'text', 'list')
                then tags.value
                when listed.value_type in ('integer', 'number')
                then cast(floor(log2(abs(cast(tags.value as double)) + 1)) as varchar)
                else '(any)'
            end as bucket,
            tags.valid_to is null as has_now,
            tags.valid_from < moment.day_began_at
            and (
                tags.valid_to is null or tags.valid_to >= moment.day_began_at
            ) as had_before
        from {{ ref("fct_user_tags") }} as tags
        inner join {{ ref("dim_tags") }} as listed on listed.tag_id = tags.tag_id
        cross join moment
        left join
            {{ source("identity", "redirects") }} as redirects
            on redirects.retired_one_id = tags.one_id
        where
            listed.status = 'published'
            and (tags.valid_to is null or tags.valid_to >= moment.day_began_at)
    )

select
    one_id,
    tag_id,
    value,
    max(case when has_now then 1 else 0 end) as has_now,
    max(case when had_before then 1 else 0 end) as had_before,
    max(case when has_now then bucket end) as bucket_now,
    max(case when had_before then bucket end) as bucket_before
from rows_of_both
where has_now or had_before
group by one_id, tag_id, value
