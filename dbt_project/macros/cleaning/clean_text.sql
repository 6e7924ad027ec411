{#- Free text; a formula becomes null. -#}
{% macro clean_text(text) -%}
    case when not {{ is_formula(text) }} then {{ text }} end
{%- endmacro %}
