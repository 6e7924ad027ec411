{#- Whole seconds since local midnight of a naive UTC timestamp. -#}
{% macro seconds_of_day(timestamp) -%}
    (
        extract(hour from {{ timestamp }} + interval '8' hour) * 3600
        + extract(minute from {{ timestamp }} + interval '8' hour) * 60
        + floor(extract(second from {{ timestamp }} + interval '8' hour))
    )
{%- endmacro %}
