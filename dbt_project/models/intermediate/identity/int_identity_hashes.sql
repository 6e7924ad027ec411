-- Grain: one row per hashed mobile whose number is known.
-- Lets a source that delivers phones hashed meet those that deliver them plain.
with
    named as (
        {% for part in ["events", "records"] %}
            select distinct identifier_value
            from {{ ref("int_identity_evidence__" ~ part) }}
            where identifier_type = 'mobile'
            {% if not loop.last %}
                union
            {% endif %}
        {% endfor %}
    ),

    hashed as (
        select identifier_value as hashed_value
        from named
        where not starts_with(identifier_value, '+')
    ),

    -- nothing is hashed where nobody delivers hashes
    plain as (
        select identifier_value as mobile
        from named
        where
            starts_with(identifier_value, '+')
            and exists (select 1 as found from hashed)
    ),

    spelled as (
        {% for spelling in ["substring(mobile, 4)", "substring(mobile, 2)", "mobile"] %}
            select mobile, {{ spelling }} as spelling
            from plain
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    digests as (
        select mobile, md5(spelling) as digest
        from spelled
        union all
        select mobile, {{ sha256_of("spelling") }}
        from spelled
    )

select h.hashed_value, d.mobile
from hashed as h
inner join digests as d on h.hashed_value = d.digest
