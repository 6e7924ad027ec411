-- Grain: one row per source record and identifier value that it names.
-- The star edges of identity resolution: only rows with is_edge may link records.
{% set naming = "source, entity, record_key, identifier_type, identifier_scope, identifier_value" %}

with
    delivered as (
        {% for part in ["events", "visitors", "records"] %}
            select
                source,
                entity,
                record_key,
                identifier_type,
                identifier_scope,
                identifier_value,
                reason,
                is_verified,
                first_seen_at,
                last_seen_at,
                record_count
            from {{ ref("int_identity_evidence__" ~ part) }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    -- in the spelling, and within the scope, that the type declares
    named as (
        select
            d.source,
            d.entity,
            d.record_key,
            d.identifier_type,
            case
                when declared.scope is null then '' else d.identifier_scope
            end as identifier_scope,
            case
                when h.mobile is not null
                then h.mobile
                when declared.normaliser in ('e-mail', 'lower case')
                then lower(d.identifier_value)
                when declared.normaliser = 'upper case'
                then upper(d.identifier_value)
                else d.identifier_value
            end as identifier_value,
            d.reason,
            d.is_verified,
            d.first_seen_at,
            d.last_seen_at,
            d.record_count,
            declared.priority,
            declared.status
        from delivered as d
        inner join {{ ref("identifiers") }} as declared using (identifier_type)
        left join
            {{ ref("int_identity_hashes") }} as h
            on d.identifier_type = 'mobile'
            and d.identifier_value = h.hashed_value
    ),

    -- how many accounts a device or browser served, and whose phone its account is
    subjects as (
        select
            source,
            entity,
            record_key,
            count(
                distinct case
                    when identifier_type = 'login_id' then identifier_value
                end
            ) as logins,
            bool_or(
                identifier_type = 'login_id' and identifier_value = record_key
            ) as is_account,
            bool_or(identifier_type = 'mobile' and is_verified) as has_verified_mobile
        from named
        where entity in ('events', 'visits') and reason is null
        group by source, entity, record_key
    ),

    judged as (
        select
            n.*,
            case
                when n.reason is not null
                then n.reason
                when n.status <> 'edge'
                then 'type_not_linking'
                -- several accounts on one device or browser: none of them is its owner
                when
                    s.logins > 1
                    and n.identifier_value <> n.record_key
                    and (
                        n.identifier_type = 'login_id'
                        or (
                            not s.is_account
                            and n.identifier_type in ('mobile', 'email')
                        )
                    )
                then 'several_accounts'
                -- who has a phone of his own typed another one for somebody else
                when
                    s.has_verified_mobile
                    and n.identifier_type = 'mobile'
                    and not n.is_verified
                then 'typed_number'
            end as refusal
        from named as n
        left join
            subjects as s
            on n.source = s.source
            and n.entity = s.entity
            and n.record_key = s.record_key
    ),

    -- a value may be named twice by one record: once as an edge is enough
    merged as (
        select
            {{ naming }},
            priority,
            min(refusal) as reason,
            count(*) > count(refusal) as is_edge,
            bool_or(is_verified) as is_verified,
            min(case when refusal is null then first_seen_at end) as edge_first_seen_at,
            max(case when refusal is null then last_seen_at end) as edge_last_seen_at,
            sum(case when refusal is null then record_count end) as edge_record_count,
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at,
            sum(record_count) as record_count
        from judged
        group by {{ naming }}, priority
    )

select
    {{ naming }},
    priority,
    is_edge,
    is_verified,
    case when not is_edge then reason end as reason,
    case when is_edge then edge_first_seen_at else first_seen_at end as first_seen_at,
    case when is_edge then edge_last_seen_at else last_seen_at end as last_seen_at,
    cast(
        case when is_edge then edge_record_count else record_count end as bigint
    ) as record_count
from merged
