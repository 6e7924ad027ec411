-- Grain: one row per calendar and day; calendar '' is the common one.
with
    calendars as (
        select '' as calendar_code
        union
        select dealer_code
        from {{ ref("dealer_calendar_exceptions") }}
    ),

    days as (
        select
            calendars.calendar_code,
            dates.date,
            case
                when exceptions.date is not null
                then {{ seconds_of_clock("exceptions.opens_at") }}
                when holidays.date is null
                then {{ seconds_of_clock("hours.opens_at") }}
            end as opens_second,
            case
                when exceptions.date is not null
                then {{ seconds_of_clock("exceptions.closes_at") }}
                when holidays.date is null
                then {{ seconds_of_clock("hours.closes_at") }}
            end as closes_second
        from {{ ref("int_dates") }} as dates
        cross join calendars
        left join
            {{ ref("working_hours") }} as hours
            on hours.weekday = {{ iso_weekday("dates.date") }}
        left join {{ ref("holidays") }} as holidays on holidays.date = dates.date
        left join
            {{ ref("dealer_calendar_exceptions") }} as exceptions
            on exceptions.dealer_code = calendars.calendar_code
            and exceptions.date = dates.date
    ),

    opened as (
        select
            calendar_code,
            date,
            coalesce(opens_second, 0) as opens_second,
            coalesce(closes_second - opens_second, 0) as open_seconds
        from days
    )

select
    calendar_code,
    date,
    opens_second,
    open_seconds,
    cast(
        coalesce(
            sum(open_seconds) over (
                partition by calendar_code
                order by date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as bigint
    ) as seconds_before
from opened
