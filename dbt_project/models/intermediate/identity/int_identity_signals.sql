-- Events by what they say about their subject: the repeated part of the stream, once.
{% set event_sources = [
    ("app", ref("stg_app__events")),
    ("miniprogram", ref("stg_miniprogram__events")),
] %}

with
    events as (
        {% for source, relation in event_sources %}
            select
                '{{ source }}' as source,
                distinct_id,
                type,
                case when type = 'track_signup' then original_id end as original_id,
                anonymous_id,
                login_id,
                identities,
                case
                    when event in ('SubmitInquiry', 'BookTestDrive', 'ReferralSubmit')
                    then {{ json_text("properties", "mobile") }}
                end as mobile,
                occurred_at
            from {{ relation }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    unbinders as (
        select distinct source, distinct_id from events where type = 'track_id_unbind'
    ),

    -- where an identifier was once taken back the moment of each signal matters
    timed as (
        select
            events.*,
            case when unbinders.distinct_id is not null then occurred_at end as moment
        from events
        left join
            unbinders
            on events.source = unbinders.source
            and events.distinct_id = unbinders.distinct_id
    )

select
    source,
    distinct_id,
    original_id,
    anonymous_id,
    login_id,
    identities,
    mobile,
    type = 'track_signup' as is_signup,
    type = 'track_id_unbind' as is_unbind,
    min(occurred_at) as first_seen_at,
    max(occurred_at) as last_seen_at,
    count(*) as event_count
from timed
group by
    source,
    distinct_id,
    original_id,
    anonymous_id,
    login_id,
    identities,
    mobile,
    type = 'track_signup',
    type = 'track_id_unbind',
    moment
