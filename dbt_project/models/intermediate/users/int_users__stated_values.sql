-- Grain: one row per record and attribute of a person, as the record states it.
{% set attributes = [
    ("crm", "contacts", ["gender", "birth_date", "province", "city"]),
    ("crm", "leads", ["gender", "province", "city"]),
    ("crm", "adf_leads", ["province", "city"]),
    ("dms", "customers", ["province", "city"]),
] %}

with
    stated as (
        {% for carrier in person_entities() if carrier["name"] %}
            select
                '{{ carrier["source"] }}' as source,
                '{{ carrier["entity"] }}' as entity,
                record_key,
                'name' as attribute,
                {{ carrier["name"] }} as value,
                cast(null as timestamp) as observed_at
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
                    cast({{ column }} as varchar),
                    null
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
                ),
                null
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
                end,
                null
            from {{ ref("stg_dms__" ~ entity) }}
            where length(id_card) = 18
            union all
        {% endfor %}
        select source, 'events', record_key, attribute, value, observed_at
        from {{ ref("int_users__app_profiles") }}
    )

select *
from stated
where value is not null
