-- Grain: one row per rule, person, series and week without a hit.
-- Who viewed the series in a week in which the rule hit somebody else, had not inquired
-- either, and does not fulfil the rule: what happens without it. Counted from the first
-- view of the week.
with
    weeks as (
        select distinct rule, series_code, week
        from {{ ref("int_behaviour_rules__hits") }}
    ),

    viewers as (
        select
            weeks.rule,
            weeks.series_code,
            weeks.week,
            rules.inquiry_event,
            rules.outcome_hours,
            rules.quiet_days,
            rules.trailing_days,
            events.one_id,
            min(events.occurred_at) as viewed_at
        from weeks
        inner join
            {{ ref("behaviour_rules") }} as rules
            on rules.rule = weeks.rule
            and rules.valid_from <= weeks.week
            and (rules.valid_to is null or weeks.week < rules.valid_to)
        inner join
            {{ ref("int_events") }} as events
            on events.event = rules.view_event
            and events.series_code = weeks.series_code
            and cast(date_trunc('week', {{ local_date("events.occurred_at") }}) as date)
            = weeks.week
        where events.one_id is not null
        group by 1, 2, 3, 4, 5, 6, 7, 8
    )

select
    viewers.rule,
    viewers.one_id,
    viewers.series_code,
    viewers.week,
    viewers.viewed_at,
    viewers.viewed_at + interval '1' hour * viewers.outcome_hours
    <= {{ as_of() }} as is_mature,
    count(asked.occurred_at) > 0 as has_inquired
from viewers
left join
    {{ ref("int_events") }} as asked
    on asked.one_id = viewers.one_id
    and asked.event = viewers.inquiry_event
    and asked.occurred_at > viewers.viewed_at
    and asked.occurred_at
    <= viewers.viewed_at + interval '1' hour * viewers.outcome_hours
where
    not exists (
        select 1
        from {{ ref("int_events") }} as before
        where
            before.one_id = viewers.one_id
            and before.event = viewers.inquiry_event
            and before.occurred_at < viewers.viewed_at
            and before.occurred_at
            >= viewers.viewed_at - interval '1' day * viewers.quiet_days
    )
    and not exists (
        select 1
        from {{ ref("int_behaviour_rules__hits") }} as hits
        where
            hits.rule = viewers.rule
            and hits.one_id = viewers.one_id
            and hits.series_code = viewers.series_code
            and (
                hits.week = viewers.week
                or (
                    hits.hit_at < viewers.viewed_at
                    and hits.hit_at
                    > viewers.viewed_at - interval '1' day * viewers.trailing_days
                )
            )
    )
group by 1, 2, 3, 4, 5, viewers.outcome_hours
