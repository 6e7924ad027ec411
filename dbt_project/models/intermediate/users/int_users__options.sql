-- Grain: one row per candidate, with what the rules of survivorship ask about it.
-- What is chosen together (a place: province and city) is one option of one record.
with
    offered as (
        select
            c.*,
            r.chosen_with,
            max(c.observed_at) over (
                partition by c.one_id, r.chosen_with, c.source, c.entity, c.record_key
            ) as record_observed_at,
            max(case when c.attribute = 'province' then c.value end) over (
                partition by c.one_id, r.chosen_with, c.source, c.entity, c.record_key
            ) as record_province,
            max(case when c.attribute = 'city' then c.value end) over (
                partition by c.one_id, r.chosen_with, c.source, c.entity, c.record_key
            ) as record_city
        from {{ ref("int_users__candidates") }} as c
        inner join {{ ref("survivorship") }} as r on c.attribute = r.attribute
    ),

    whole as (
        select
            one_id,
            attribute,
            value,
            source,
            entity,
            record_key,
            observed_at,
            is_verified,
            is_shared,
            chosen_with,
            case
                when chosen_with = 'address'
                then concat_ws('|', record_province, record_city)
                else value
            end as chosen_value,
            case
                when chosen_with = 'address' then record_observed_at else observed_at
            end as said_at,
            case
                when chosen_with = 'address'
                then record_province is not null and record_city is not null
                -- how somebody is called is no name
                when chosen_with = 'name'
                then
                    length(value) > 1 and not
                    {{ matches("value", "(先生|女士|小姐|太太|老师|师傅|总|哥|姐)$") }}
                else true
            end as is_complete
        from offered
    )

select
    w.one_id,
    w.attribute,
    w.value,
    w.source,
    w.entity,
    w.record_key,
    w.observed_at,
    w.chosen_with,
    w.chosen_value,
    w.said_at,
    w.is_complete,
    w.is_shared,
    coalesce(w.is_verified, s.is_verified, false) as is_verified,
    coalesce(s.priority, 99) as source_priority,
    count(*) over (partition by w.one_id, w.attribute, w.chosen_value) as frequency
from whole as w
left join
    {{ ref("survivorship_sources") }} as s
    on w.chosen_with = s.attribute
    and w.source = s.source
    and w.entity = s.entity
