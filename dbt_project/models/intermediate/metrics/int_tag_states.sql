-- Grain: one row per person, tag and value that the person has now, or had when the
-- local day of as-of began; of those who are in int_tag_moves.
-- Numbers and dates are not spread over values: they share the value (any), and are
-- compared by their order of magnitude.
with
    placed as (
        select
            moves.one_id,
            moves.tag_id,
            {{ tag_value("moves.value", "listed.value_type") }} as value,
            {{ tag_bucket("moves.value", "listed.value_type") }} as bucket,
            moves.has_now,
            moves.had_before
        from {{ ref("int_tag_moves") }} as moves
        inner join
            {{ ref("dim_tags") }} as listed
            on listed.tag_id = moves.tag_id
            and listed.status = 'published'
        where moves.has_now or moves.had_before
    )

select
    one_id,
    tag_id,
    value,
    max(case when has_now then 1 else 0 end) as has_now,
    max(case when had_before then 1 else 0 end) as had_before,
    max(case when has_now then bucket end) as bucket_now,
    max(case when had_before then bucket end) as bucket_before
from placed
group by one_id, tag_id, value
