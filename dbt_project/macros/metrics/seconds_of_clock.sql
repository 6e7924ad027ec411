{#- Seconds since midnight of a clock time HH:MM, as the calendar seeds write it. -#}
{% macro seconds_of_clock(text) -%}
    (
        cast(split_part({{ text }}, ':', 1) as bigint) * 3600
        + cast(split_part({{ text }}, ':', 2) as bigint) * 60
    )
{%- endmacro %}
