-- Grain: one row per day.
-- Why: one calendar for every reader, with holidays and dealers' working time.
select
    dates.date,
    cast(date_trunc('week', dates.date) as date) as week,
    cast(date_trunc('month', dates.date) as date) as month,
    cast(extract(quarter from dates.date) as integer) as quarter,
    cast(extract(year from dates.date) as integer) as year,
    {{ iso_weekday("dates.date") }} as weekday,
    {{ iso_weekday("dates.date") }} >= 6 as is_weekend,
    holidays.date is not null as is_holiday,
    holidays.name as holiday_name,
    cast(floor(calendar.open_seconds / 60) as bigint) as working_minutes
from {{ ref("int_dates") }} as dates
inner join
    {{ ref("int_working_calendar") }} as calendar
    on calendar.date = dates.date
    and calendar.calendar_code = ''
left join {{ ref("holidays") }} as holidays on holidays.date = dates.date
