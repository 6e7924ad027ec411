{#- A delivered number as a rounded bigint; null where the text is no number. -#}
{% macro whole_number(text) -%}
    try_cast(round(try_cast({{ text }} as double)) as bigint)
{%- endmacro %}
