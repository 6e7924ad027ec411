-- Grain: one row per person and action; of several that call for it the first one due.
with
    dated as (
        select
            calls.one_id,
            calls.action,
            calls.staff_id,
            calls.subject,
            concat_ws(': ', rules.because, calls.subject) as because,
            calls.since,
            coalesce(
                calls.due_at, calls.since + interval '1' hour * rules.due_after_hours
            ) as due_at,
            rules.shown_before_days,
            rules.dropped_after_days
        from {{ ref("int_users__actions") }} as calls
        inner join
            {{ ref("next_actions") }} as rules
            on rules.action = calls.action
            and rules.valid_from <= {{ local_date(as_of()) }}
            and (rules.valid_to is null or {{ local_date(as_of()) }} < rules.valid_to)
        where calls.one_id is not null and calls.since < {{ as_of() }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by one_id, action order by due_at, subject
            ) as place
        from dated
        where
            due_at - interval '1' day * shown_before_days <= {{ as_of() }}
            and (
                dropped_after_days is null
                or since + interval '1' day * dropped_after_days > {{ as_of() }}
            )
    )

select one_id, action, staff_id, because, due_at
from ranked
where place = 1
