-- What app and mini-program events say about who their subject is, taken-back
-- identifiers apart.
with
    words as (
        select {{ collect("mobile") }} as _placeholder_mobiles
        from {{ ref("placeholder_mobiles") }}
    ),

    tidied as (
        select
            n.*,
            d.normaliser,
            case
                when d.normaliser in ('E.164', 'e-mail')
                then {{ tidy_text("identifier_value") }}
            end as contact
        from {{ ref("int_identity_names") }} as n
        inner join {{ ref("identifiers") }} as d using (identifier_type)
    ),

    cleaned as (
        select
            source,
            distinct_id,
            identifier_type,
            identifier_scope,
            case
                when normaliser = 'E.164' and {{ is_digest("contact") }}
                then lower(contact)
                when normaliser = 'E.164'
                then {{ clean_mobile("contact") }}
                when normaliser = 'e-mail'
                then {{ clean_email("contact") }}
                else identifier_value
            end as identifier_value,
            reason,
            is_retraction,
            is_verified,
            first_seen_at,
            last_seen_at,
            event_count
        from tidied
        cross join words
    ),

    retractions as (
        select
            source,
            distinct_id,
            identifier_type,
            identifier_scope,
            identifier_value,
            max(last_seen_at) as retracted_at
        from cleaned
        where is_retraction
        group by
            source, distinct_id, identifier_type, identifier_scope, identifier_value
    ),

    -- what came in with an identifier goes with it
    cascading as (
        select
            r.source,
            r.distinct_id,
            d.identifier_type,
            max(r.retracted_at) as retracted_at
        from retractions as r
        inner join {{ ref("identifiers") }} as d on r.identifier_type = d.parent
        group by r.source, r.distinct_id, d.identifier_type
    ),

    judged as (
        select
            c.*,
            case
                when c.reason is not null
                then c.reason
                when
                    c.identifier_value <> c.distinct_id
                    and (
                        c.first_seen_at <= r.retracted_at
                        or c.first_seen_at <= p.retracted_at
                    )
                then 'unbound'
            end as refusal
        from cleaned as c
        left join
            cascading as p
            on c.source = p.source
            and c.distinct_id = p.distinct_id
            and c.identifier_type = p.identifier_type
        left join
            retractions as r
            on c.source = r.source
            and c.distinct_id = r.distinct_id
            and c.identifier_type = r.identifier_type
            and c.identifier_scope = r.identifier_scope
            and c.identifier_value = r.identifier_value
        where not c.is_retraction and c.identifier_value is not null
    )

select
    source,
    'events' as entity,
    distinct_id as record_key,
    identifier_type,
    identifier_scope,
    identifier_value,
    refusal as reason,
    bool_or(is_verified) as is_verified,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
    cast(sum(event_count) as bigint) as record_count
from judged
group by
    source, distinct_id, identifier_type, identifier_scope, identifier_value, refusal
