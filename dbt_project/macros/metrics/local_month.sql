{#- The first day of the Asia/Shanghai month of a naive UTC timestamp. -#}
{% macro local_month(timestamp) -%}
    cast(date_trunc('month', {{ local_date(timestamp) }}) as date)
{%- endmacro %}
