{#- The Asia/Shanghai date of a naive UTC timestamp. China has kept UTC+8 since 1991. -#}
{% macro local_date(timestamp) -%}
    cast({{ timestamp }} + interval '8' hour as date)
{%- endmacro %}
