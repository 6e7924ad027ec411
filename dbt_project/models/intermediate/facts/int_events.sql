-- Grain: one row per behaviour on app, mini-program or website.
{%- set codes = [
    "series_code",
    "model_code",
    "dealer_code",
    "content_id",
    "campaign_code",
    "member_code",
    "inquiry_id",
] %}
with
    tracked as (
        select
            'app' as source,
            subject_key as record_key,
            occurred_at,
            event as delivered,
            properties
        from {{ ref("stg_app__events") }}
        where type = 'track'
        union all
        select 'miniprogram', subject_key, occurred_at, event, properties
        from {{ ref("stg_miniprogram__events") }}
        where type = 'track'
        union all
        select 'website', visitor_id, occurred_at, event_name, event_variables
        from {{ ref("stg_website__custom_events") }}
    ),

    read as (
        select
            source,
            record_key,
            occurred_at,
            delivered,
            {{
                json_fields(
                    "properties",
                    codes + ["amount_fen", "event_duration", "action"],
                )
            }} as fields
        from tracked
    ),

    behaviours as (
        select
            source,
            record_key,
            occurred_at,
            case
                when delivered = 'Inbox'
                then concat(delivered, ':', {{ list_item("fields", 10) }})
                else delivered
            end as delivered,
            {%- for code in codes %}
                {{ list_item("fields", loop.index) }} as {{ code }},
            {%- endfor %}
            {{ whole_number(list_item("fields", 8)) }} as amount_fen,
            {{ whole_number(list_item("fields", 9)) }} as duration_seconds
        from read
    ),

    named as (
        select
            behaviours.source,
            behaviours.record_key,
            behaviours.occurred_at,
            coalesce(event_names.event, 'other') as event,
            {%- for code in codes %}
                {{ clean_code("nullif(trim(behaviours." ~ code ~ "), '')") }}
                as {{ code }},
            {%- endfor %}
            behaviours.amount_fen,
            behaviours.duration_seconds
        from behaviours
        left join
            {{ ref("event_names") }} as event_names
            on event_names.delivered = behaviours.delivered
        union all
        {%- for table, event in [("visits", "visit"), ("pages", "view_page")] %}
            select
                'website',
                visitor_id,
                occurred_at,
                '{{ event }}',
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null
            from {{ ref("stg_website__" ~ table) }} {{ "union all" if not loop.last }}
        {%- endfor %}
    )

select
    named.source,
    records.one_id,
    named.record_key,
    named.event,
    named.occurred_at,
    named.series_code,
    named.model_code,
    named.dealer_code,
    named.content_id,
    named.campaign_code,
    named.member_code,
    named.inquiry_id,
    named.amount_fen,
    named.duration_seconds
from named
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = named.source
    and records.entity
    = case when named.source = 'website' then 'visits' else 'events' end
    and records.record_key = named.record_key
