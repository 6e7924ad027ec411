{#- A code as delivered; a formula or a masked code becomes null. -#}
{% macro clean_code(text) -%}
    case
        when not {{ is_formula(text) }} and not contains({{ text }}, '*')
        then {{ text }}
    end
{%- endmacro %}
