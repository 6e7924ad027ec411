-- Grain: one row per source record and identifier value that it names.
-- The star edges of identity resolution: only rows with is_edge link records.
with
    named as (
        {% for part in ["events", "visitors", "records"] %}
            select
                source,
                entity,
                record_key,
                identifier_type,
                identifier_scope,
                identifier_value,
                reason,
                first_seen_at,
                last_seen_at,
                record_count
            from {{ ref("int_identity_evidence__" ~ part) }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    judged as (
        select
            named.*,
            declared.priority,
            case
                when declared.status <> 'edge'
                then 'type_not_linking'
                when {{ is_placeholder_identifier("identifier_value") }}
                then 'placeholder'
                else reason
            end as refusal
        from named
        inner join {{ ref("identifiers") }} as declared using (identifier_type)
    ),

    -- a value may be named twice by one record: once as an edge is enough
    merged as (
        select
            source,
            entity,
            record_key,
            identifier_type,
            identifier_scope,
            identifier_value,
            priority,
            min(refusal) as reason,
            count(*) > count(refusal) as is_edge,
            min(case when refusal is null then first_seen_at end) as edge_first_seen_at,
            max(case when refusal is null then last_seen_at end) as edge_last_seen_at,
            sum(case when refusal is null then record_count end) as edge_record_count,
            min(first_seen_at) as first_seen_at,
            max(last_seen_at) as last_seen_at,
            sum(record_count) as record_count
        from judged
        group by
            source,
            entity,
            record_key,
            identifier_type,
            identifier_scope,
            identifier_value,
            priority
    )

select
    source,
    entity,
    record_key,
    identifier_type,
    identifier_scope,
    identifier_value,
    priority,
    is_edge,
    case when not is_edge then reason end as reason,
    case when is_edge then edge_first_seen_at else first_seen_at end as first_seen_at,
    case when is_edge then edge_last_seen_at else last_seen_at end as last_seen_at,
    cast(
        case when is_edge then edge_record_count else record_count end as bigint
    ) as record_count
from merged
