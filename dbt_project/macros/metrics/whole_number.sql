{#- A delivered number as a rounded bigint; null where it is no number or has over 13 digits. -#}
{% macro whole_number(text) -%}
    cast(try_cast(round(try_cast({{ text }} as double)) as decimal(13, 0)) as bigint)
{%- endmacro %}
