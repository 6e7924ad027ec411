-- Grain: one row per rule, person, series and moment at which the rule holds.
-- It is looked at when the person views the series or clicks: only then it can begin to
-- hold. What is N days old to the second is no longer in the N days up to the moment.
with
    signs as (
        select
            rules.rule,
            rules.trailing_days,
            rules.more_than_views,
            rules.quiet_days,
            rules.outcome_hours,
            rules.inquiry_event,
            rules.valid_from,
            rules.valid_to,
            events.one_id,
            events.series_code,
            events.occurred_at,
            events.event = rules.view_event as is_view
        from {{ ref("int_events") }} as events
        inner join
            {{ ref("behaviour_rules") }} as rules
            on events.event in (rules.view_event, rules.click_event)
        where
            events.one_id is not null
            and events.series_code is not null
            and events.occurred_at is not null
    ),

    -- few persons ever come near: only theirs are put in order
    candidates as (
        select rule, valid_from, one_id, series_code
        from signs
        group by rule, valid_from, one_id, series_code, more_than_views
        having
            count(*) filter (where is_view) > more_than_views
            and count(*) filter (where not is_view) > 0
    ),

    counted as (
        select
            signs.*,
            sum(case when is_view then 1 else 0 end) over (
                partition by
                    signs.rule, signs.valid_from, signs.one_id, signs.series_code
                order by occurred_at
                range between unbounded preceding and current row
            ) as views_until,
            max(case when not is_view then occurred_at end) over (
                partition by
                    signs.rule, signs.valid_from, signs.one_id, signs.series_code
                order by occurred_at
                range between unbounded preceding and current row
            ) as last_clicked_at,
            row_number() over (
                partition by
                    signs.rule,
                    signs.valid_from,
                    signs.one_id,
                    signs.series_code,
                    is_view
                order by occurred_at
            ) as place
        from signs
        inner join
            candidates
            on candidates.rule = signs.rule
            and candidates.valid_from = signs.valid_from
            and candidates.one_id = signs.one_id
            and candidates.series_code = signs.series_code
    ),

    -- more than N views in the days up to now: the view N before the last is in them
    reached as (
        select distinct
            counted.rule,
            counted.one_id,
            counted.series_code,
            counted.occurred_at,
            counted.trailing_days,
            counted.quiet_days,
            counted.outcome_hours,
            counted.inquiry_event
        from counted
        inner join
            counted as earlier
            on earlier.is_view
            and earlier.rule = counted.rule
            and earlier.valid_from = counted.valid_from
            and earlier.one_id = counted.one_id
            and earlier.series_code = counted.series_code
            and earlier.place = counted.views_until - counted.more_than_views
        where
            earlier.occurred_at
            > counted.occurred_at - interval '1' day * counted.trailing_days
            and counted.last_clicked_at
            > counted.occurred_at - interval '1' day * counted.trailing_days
            and {{ local_date("counted.occurred_at") }} >= counted.valid_from
            and (
                counted.valid_to is null
                or {{ local_date("counted.occurred_at") }} < counted.valid_to
            )
    )

select
    reached.rule,
    reached.one_id,
    reached.series_code,
    reached.occurred_at,
    reached.trailing_days,
    reached.outcome_hours,
    reached.inquiry_event
from reached
where
    not exists (
        select 1
        from {{ ref("int_events") }} as asked
        where
            asked.one_id = reached.one_id
            and asked.event = reached.inquiry_event
            and asked.occurred_at < reached.occurred_at
            and asked.occurred_at
            >= reached.occurred_at - interval '1' day * reached.quiet_days
    )
