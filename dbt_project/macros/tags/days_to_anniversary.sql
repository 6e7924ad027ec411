{#-
  Days from today to the next anniversary of a date, 0 on the day; null before the date itself and
  on it, for nothing has come round yet.
-#}
{% macro days_to_anniversary(date, today) -%}
    {%- set years = (
        "(extract(year from "
        ~ today
        ~ ") - extract(year from "
        ~ date
        ~ "))"
    ) -%}
    {%- set this_year = years_later(date, years) -%}
    {%- set next_year = years_later(date, years ~ " + 1") -%}
    case
        when {{ this_year }} >= {{ today }} and {{ this_year }} > {{ date }}
        then {{ dbt.datediff(today, this_year, "day") }}
        when {{ this_year }} < {{ today }} and {{ next_year }} > {{ date }}
        then {{ dbt.datediff(today, next_year, "day") }}
    end
{%- endmacro %}
