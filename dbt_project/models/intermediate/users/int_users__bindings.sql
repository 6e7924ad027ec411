-- Grain: one row per person, vehicle and period in which the person's app was bound
-- to it.
{% set event_sources = [
    ("app", ref("stg_app__events")),
    ("miniprogram", ref("stg_miniprogram__events")),
] %}

with
    delivered as (
        {% for source, relation in event_sources %}
            select
                '{{ source }}' as source,
                distinct_id,
                event,
                occurred_at,
                {{ tidy_text(json_text("properties", "vin")) }} as vin
            from {{ relation }}
            where event in ('BindVehicle', 'UnbindVehicle')
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    events as (
        select m.one_id, {{ clean_vin("d.vin") }} as vin, d.event, d.occurred_at
        from delivered as d
        inner join
            {{ ref("bridge_user_records") }} as m
            on m.source = d.source
            and m.entity = 'events'
            and m.record_key = d.distinct_id
    ),

    ended as (
        select
            one_id,
            vin,
            event,
            occurred_at,
            min(case when event = 'UnbindVehicle' then occurred_at end) over (
                partition by one_id, vin
                order by occurred_at, event
                rows between 1 following and unbounded following
            ) as valid_to
        from events
        where vin is not null
    )

-- bound again while bound is one period
select one_id, vin, min(occurred_at) as valid_from, valid_to
from ended
where event = 'BindVehicle'
group by one_id, vin, valid_to
