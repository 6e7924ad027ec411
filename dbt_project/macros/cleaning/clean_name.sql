{#- A person's or company's name: blanks inside collapse, a masked name (`张*`) becomes null. -#}
{% macro clean_name(text) -%}
    case
        when not {{ is_formula(text) }} and not contains({{ text }}, '*')
        then {{ replace_all(text, "\\s+", " ") }}
    end
{%- endmacro %}
