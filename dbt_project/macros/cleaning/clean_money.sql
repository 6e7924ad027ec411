{#- Money that is delivered in yuan, as whole fen. Doubles are exact far beyond any price here. -#}
{% macro clean_money(text) -%}
    try_cast(round({{ parse_number(text) }} * 100) as bigint)
{%- endmacro %}
