-- Grain: one row per rule, person, series and hit.
-- The first moment at which the rule holds, and each next one when the trailing days
-- since the hit before are over.
with
    spaced as (
        select
            rule,
            one_id,
            series_code,
            inquiry_event,
            outcome_hours,
            {{ each_item(spaced_apart(collect("occurred_at"), "trailing_days")) }}
            as hit_at
        from {{ ref("int_behaviour_rules__moments") }}
        group by rule, one_id, series_code, inquiry_event, outcome_hours, trailing_days
    )

select
    spaced.rule,
    spaced.one_id,
    spaced.series_code,
    spaced.hit_at,
    cast(date_trunc('week', {{ local_date("spaced.hit_at") }}) as date) as week,
    spaced.hit_at + interval '1' hour * spaced.outcome_hours
    <= {{ as_of() }} as is_mature,
    count(asked.occurred_at) > 0 as has_inquired
from spaced
left join
    {{ ref("int_events") }} as asked
    on asked.one_id = spaced.one_id
    and asked.event = spaced.inquiry_event
    and asked.occurred_at > spaced.hit_at
    and asked.occurred_at <= spaced.hit_at + interval '1' hour * spaced.outcome_hours
group by
    spaced.rule, spaced.one_id, spaced.series_code, spaced.hit_at, spaced.outcome_hours
