-- Grain: one row per source, entity, column and issue among the newest rows.
-- Why: a value that cleaning refuses is null in its row; here it is told and counted.
{%- set entities = {
    "app": ["events"],
    "crm": [
        "adf_leads",
        "campaigns",
        "complaints",
        "contacts",
        "erasure_requests",
        "follow_ups",
        "leads",
        "manual_tags",
        "owner_contacts",
        "surveys",
        "wecom_contacts",
    ],
    "dms": [
        "addon_sales",
        "customers",
        "dealers",
        "deliveries",
        "orders",
        "service_orders",
        "store_visits",
        "test_drives",
        "vehicles",
    ],
    "miniprogram": ["events"],
    "partner": ["members", "referrals", "rewards"],
    "website": ["custom_events", "pages", "visits"],
    "workforce": [
        "action_items",
        "content_posts",
        "peer_reviews",
        "quality_issues",
        "staff",
        "targets",
        "training_records",
    ],
} %}
with
    staged as (
        {%- for source, names in entities.items() %}
            {%- set is_last_source = loop.last %}
            {%- for entity in names %}
                select
                    '{{ source }}' as source,
                    '{{ entity }}' as entity,
                    _issues as issues,
                    count(*) as records
                from {{ ref("stg_" ~ source ~ "__" ~ entity) }}
                group by _issues
                {% if not (is_last_source and loop.last) %}
                    union all
                {% endif %}
            {%- endfor %}
        {%- endfor %}
    ),

    told as (
        select source, entity, {{ each_item("issues") }} as issue, records from staged
    ),

    entity_totals as (
        select source, entity, cast(sum(records) as bigint) as records_of_entity
        from staged
        group by source, entity
    )

select
    told.source,
    told.entity,
    split_part(told.issue, ': ', 1) as column_name,
    split_part(told.issue, ': ', 2) as issue,
    -- a word that is new to the contract is told of and kept
    split_part(told.issue, ': ', 2) <> 'unknown_value' as is_set_aside,
    cast(sum(told.records) as bigint) as records,
    max(entity_totals.records_of_entity) as records_of_entity
from told
inner join
    entity_totals
    on entity_totals.source = told.source
    and entity_totals.entity = told.entity
group by told.source, told.entity, told.issue
