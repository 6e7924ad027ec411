-- Grain: one row per record and attribute of a person that the record knows.
{% set attributes = [
    ("crm", "contacts", ["gender", "birth_date", "province", "city"]),
    ("crm", "leads", ["gender", "province", "city"]),
    ("crm", "adf_leads", ["province", "city"]),
    ("dms", "customers", ["province", "city"]),
] %}

with
    delivered as (
        {% for carrier in person_entities() if carrier["name"] %}
            select
                '{{ carrier["source"] }}' as source,
                '{{ carrier["entity"] }}' as entity,
                record_key,
                'name' as attribute,
                {{ carrier["name"] }} as value
            from {{ ref("stg_" ~ carrier["source"] ~ "__" ~ carrier["entity"]) }}
            union all
        {% endfor %}
        {% for source, entity, columns in attributes %}
            {% for column in columns %}
                select
                    '{{ source }}',
                    '{{ entity }}',
                    record_key,
                    '{{ column }}',
                    cast({{ column }} as varchar)
                from {{ ref("stg_" ~ source ~ "__" ~ entity) }}
                union all
            {% endfor %}
        {% endfor %}
        -- characters 7 to 14 of an identity number are the birth date, an odd 17th
        -- means a man
        {% for entity in ["customers", "orders"] %}
            select
                'dms',
                '{{ entity }}',
                record_key,
                'birth_date',
                cast(
                    try_cast(
                        concat_ws(
                            '-',
                            substr(id_card, 7, 4),
                            substr(id_card, 11, 2),
                            substr(id_card, 13, 2)
                        ) as date
                    ) as varchar
                )
            from {{ ref("stg_dms__" ~ entity) }}
            where length(id_card) = 18
            union all
            select
                'dms',
                '{{ entity }}',
                record_key,
                'gender',
                case
                    when substr(id_card, 17, 1) in ('1', '3', '5', '7', '9')
                    then '男'
                    else '女'
                end
            from {{ ref("stg_dms__" ~ entity) }}
            where length(id_card) = 18
            union all
        {% endfor %}
        select source, 'events', record_key, attribute, value
        from {{ ref("int_users__app_profiles") }}
    ),

    observed as (
        select
            d.source,
            d.entity,
            d.record_key,
            d.attribute,
            case
                when
                    d.attribute = 'gender'
                    and lower(d.value) in ('男', '男性', '先生', 'm', 'male')
                then '男'
                when
                    d.attribute = 'gender'
                    and lower(d.value) in ('女', '女性', '女士', 'f', 'female')
                then '女'
                when d.attribute = 'gender'
                then null
                when d.attribute = 'birth_date'
                then cast(try_cast(d.value as date) as varchar)
                else d.value
            end as value,
            r.last_seen_at as observed_at
        from delivered as d
        inner join
            {{ ref("int_identity_records") }} as r
            on d.source = r.source
            and d.entity = r.entity
            and d.record_key = r.record_key
        where d.value is not null
        union all
        select
            source, entity, record_key, identifier_type, identifier_value, last_seen_at
        from {{ ref("int_identity_evidence") }}
        where is_edge and identifier_type in ('mobile', 'email')
    )

select m.one_id, o.attribute, o.value, o.source, o.entity, o.record_key, o.observed_at
from observed as o
inner join
    {{ ref("bridge_user_records") }} as m
    on o.source = m.source
    and o.entity = m.entity
    and o.record_key = m.record_key
where
    o.value is not null
    -- what a form calls somebody without a name is no name
    and not (
        o.attribute = 'name'
        and o.value in ('先生', '女士', '小姐', '客户', '用户', '匿名', '未知', '不详', '测试')
    )
    and not (
        o.attribute = 'birth_date'
        and (
            try_cast(o.value as date) < date '1900-01-01'
            or try_cast(o.value as date) > {{ local_date(as_of()) }}
        )
    )
