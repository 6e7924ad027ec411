-- Grain: one row per source record that carries a person or a company.
with
    subjects as (
        select
            source,
            'events' as entity,
            distinct_id as record_key,
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at,
            cast(null as varchar) as name,
            cast(null as date) as birth_date,
            cast(null as varchar) as organisation_key
        from {{ ref("int_identity_signals") }}
        group by source, distinct_id
        union all
        select
            'website',
            'visits',
            visitor_id,
            min(first_seen_at),
            max(last_seen_at),
            null,
            null,
            null
        from {{ ref("int_identity_visitors") }}
        group by visitor_id
        {% for carrier in person_entities() %}
            union all
            select
                '{{ carrier["source"] }}',
                '{{ carrier["entity"] }}',
                record.record_key,
                least(
                    coalesce({{ carrier["first"] }}, {{ carrier["last"] }}),
                    coalesce({{ carrier["last"] }}, {{ carrier["first"] }})
                ),
                greatest(
                    coalesce({{ carrier["first"] }}, {{ carrier["last"] }}),
                    coalesce({{ carrier["last"] }}, {{ carrier["first"] }})
                ),
                {{ ("record." ~ carrier["name"]) if carrier["name"] else "null" }},
                {{
                    (
                        ("record." ~ carrier["birth_date"])
                        if carrier["birth_date"]
                        else "null"
                    )
                }},
                {% if carrier["organisation"] %} organisation.organisation_key
                {% else %} null
                {% endif %}
            from
                {{ ref("stg_" ~ carrier["source"] ~ "__" ~ carrier["entity"]) }}
                as record
            {% if carrier["organisation"] %}
                left join
                    {{ ref("int_identity_organisations") }} as organisation
                    on record.dealer_code = organisation.dealer_code
                    and record.dms_customer_id = organisation.dms_customer_id
            {% endif %}
        {% endfor %}
    )

select
    s.source,
    s.entity,
    s.record_key,
    s.first_seen_at,
    s.last_seen_at,
    s.name,
    h.name as hint,
    s.birth_date,
    s.organisation_key is not null as is_organisation,
    s.organisation_key
from subjects as s
left join
    {{ ref("int_identity_hints") }} as h
    on s.source = h.source
    and s.entity = h.entity
    and s.record_key = h.record_key
