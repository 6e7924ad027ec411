{#- Months since year 0 of the Asia/Shanghai date of a naive UTC timestamp; differences count calendar months. -#}
{% macro month_number(timestamp) -%}
    cast(
        extract(year from {{ timestamp }} + interval '8' hour) * 12
        + extract(month from {{ timestamp }} + interval '8' hour) as integer
    )
{%- endmacro %}
