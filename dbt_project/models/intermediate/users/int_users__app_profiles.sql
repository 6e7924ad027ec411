-- Grain: one row per event subject and profile attribute that is still set.
-- $province and $city are where an address of the network is, not where a person lives.
{% set event_sources = [
    ("app", ref("stg_app__events")),
    ("miniprogram", ref("stg_miniprogram__events")),
] %}

with
    lines as (
        {% for source, relation in event_sources %}
            select '{{ source }}' as source, distinct_id, type, properties, occurred_at
            from {{ relation }}
            where
                type in (
                    'profile_set', 'profile_set_once', 'profile_unset', 'profile_delete'
                )
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    deletions as (
        select source, distinct_id, max(occurred_at) as deleted_at
        from lines
        where type = 'profile_delete'
        group by source, distinct_id
    ),

    entries as (
        select
            source,
            distinct_id,
            type,
            occurred_at,
            case
                when entry_key in ('name', '$name')
                then 'name'
                when entry_key in ('gender', '$gender')
                then 'gender'
                when entry_key in ('birth_date', 'birthday', '$birthday')
                then 'birth_date'
                when entry_key = 'province'
                then 'province'
                when entry_key = 'city'
                then 'city'
            end as attribute,
            {{ tidy_text("entry_value") }} as value
        from lines {{ each_json_entry("properties") }}
        where type <> 'profile_delete'
    ),

    removals as (
        select source, distinct_id, attribute, max(occurred_at) as removed_at
        from entries
        where type = 'profile_unset'
        group by source, distinct_id, attribute
    ),

    ranked as (
        select
            e.source,
            e.distinct_id,
            e.attribute,
            e.value,
            e.occurred_at,
            -- the last value set, else the first of those set only once
            row_number() over (
                partition by e.source, e.distinct_id, e.attribute
                order by
                    e.type,
                    case when e.type = 'profile_set' then e.occurred_at end desc,
                    e.occurred_at,
                    e.value
            ) as place
        from entries as e
        left join
            deletions as d on e.source = d.source and e.distinct_id = d.distinct_id
        left join
            removals as r
            on e.source = r.source
            and e.distinct_id = r.distinct_id
            and e.attribute = r.attribute
        where
            e.type in ('profile_set', 'profile_set_once')
            and e.attribute is not null
            and e.value <> ''
            and (d.deleted_at is null or e.occurred_at > d.deleted_at)
            and (r.removed_at is null or e.occurred_at > r.removed_at)
    )

select source, distinct_id as record_key, attribute, value, occurred_at as observed_at
from ranked
where place = 1
