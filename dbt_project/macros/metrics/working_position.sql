{#-
  How many working seconds of its calendar lie before an instant. `calendar` is the alias of the
  row of int_working_calendar for the instant's local date. The working time between two instants
  is the difference of their positions, over any number of nights and holidays.
-#}
{% macro working_position(timestamp, calendar) -%}
    cast(
        {{ calendar }}.seconds_before + least(
            greatest({{ seconds_of_day(timestamp) }} - {{ calendar }}.opens_second, 0),
            {{ calendar }}.open_seconds
        ) as bigint
    )
{%- endmacro %}
