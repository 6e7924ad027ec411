-- Grain: one row per dispatched lead that is no test.
with
    leads as (
        select
            lead_id,
            one_id,
            dealer_code,
            region,
            channel_1,
            staff_id,
            dispatched_at,
            {{ local_date("dispatched_at") }} as dispatched_date,
            -- a contact before the lead was sent counts as at once
            greatest(first_contacted_at, dispatched_at) as contacted_at,
            first_contacted_at,
            {{ as_of() }} as as_of
        from {{ ref("int_leads") }}
        where dispatched_at is not null and not is_test
    ),

    own_calendars as (
        select distinct dealer_code from {{ ref("dealer_calendar_exceptions") }}
    ),

    placed as (
        select
            leads.*,
            case
                when leads.first_contacted_at is not null then leads.contacted_at
            end as responded_at,
            case
                when leads.as_of > leads.dispatched_at
                then leads.as_of
                else leads.dispatched_at
            end as seen_until,
            coalesce(own_calendars.dealer_code, '') as calendar_code
        from leads
        left join own_calendars on own_calendars.dealer_code = leads.dealer_code
    )

select
    placed.lead_id,
    placed.one_id,
    placed.dealer_code,
    placed.region,
    placed.channel_1,
    placed.staff_id,
    placed.dispatched_at,
    placed.dispatched_date,
    placed.first_contacted_at,
    {{ working_position("placed.responded_at", "responded") }}
    - {{ working_position("placed.dispatched_at", "dispatched") }} as response_seconds,
    {{ working_position("placed.seen_until", "seen") }}
    - {{ working_position("placed.dispatched_at", "dispatched") }} as elapsed_seconds
from placed
left join
    {{ ref("int_working_calendar") }} as dispatched
    on dispatched.calendar_code = placed.calendar_code
    and dispatched.date = placed.dispatched_date
left join
    {{ ref("int_working_calendar") }} as seen
    on seen.calendar_code = placed.calendar_code
    and seen.date = {{ local_date("placed.seen_until") }}
left join
    {{ ref("int_working_calendar") }} as responded
    on responded.calendar_code = placed.calendar_code
    and responded.date = {{ local_date("placed.responded_at") }}
