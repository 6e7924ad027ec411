-- What the records of crm, dms and partner say about who they belong to; companies
-- left out.
with
    named as (
        {% for carrier in person_entities() %}
            {% set outer = loop %}
            {% for identifier in carrier["identifiers"] %}
                select
                    '{{ carrier["source"] }}' as source,
                    '{{ carrier["entity"] }}' as entity,
                    record_key,
                    '{{ identifier[0] }}' as identifier_type,
                    {{ identifier[2] or "''" }} as identifier_scope,
                    {{ identifier[1] }} as identifier_value,
                    {% if identifier[3] %} '{{ identifier[3] }}'
                    {% else %} cast(null as varchar)
                    {% endif %} as reason
                from {{ ref("stg_" ~ carrier["source"] ~ "__" ~ carrier["entity"]) }}
                {% if not (outer.last and loop.last) %}
                    union all
                {% endif %}
            {% endfor %}
        {% endfor %}
    )

select
    n.source,
    n.entity,
    n.record_key,
    n.identifier_type,
    coalesce(n.identifier_scope, '') as identifier_scope,
    n.identifier_value,
    n.reason,
    false as is_verified,
    r.first_seen_at,
    r.last_seen_at,
    cast(1 as bigint) as record_count
from named as n
inner join
    {{ ref("int_identity_records") }} as r
    on n.source = r.source
    and n.entity = r.entity
    and n.record_key = r.record_key
where n.identifier_value is not null and not r.is_organisation
