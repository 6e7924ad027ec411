-- What website traffic says about who the visitor is.
with
    words as (
        select {{ collect("mobile") }} as _placeholder_mobiles
        from {{ ref("placeholder_mobiles") }}
    ),

    tidied as (
        select v.*, {{ tidy_text("mobile") }} as contact
        from {{ ref("int_identity_visitors") }} as v
    ),

    cleaned as (
        select
            t.*,
            case
                when d.normaliser = 'E.164'
                then {{ clean_mobile("contact") }}
                else t.mobile
            end as phone
        from tidied as t
        cross join words
        inner join {{ ref("identifiers") }} as d on d.identifier_type = 'mobile'
    ),

    named as (
        {% for identifier_type, column in [
            ("visitor_id", "visitor_id"),
            ("login_id", "login_id"),
            ("mobile", "phone"),
        ] %}
            select
                visitor_id as record_key,
                '{{ identifier_type }}' as identifier_type,
                {{ column }} as identifier_value,
                first_seen_at,
                last_seen_at,
                line_count
            from cleaned
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    )

select
    'website' as source,
    'visits' as entity,
    record_key,
    identifier_type,
    '' as identifier_scope,
    identifier_value,
    cast(null as varchar) as reason,
    false as is_verified,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    cast(sum(line_count) as bigint) as record_count
from named
where identifier_value is not null
group by record_key, identifier_type, identifier_value
