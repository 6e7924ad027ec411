{#- What a value of a tag is counted as: numbers, dates and shares share the value (any). -#}
{% macro tag_value(value, value_type) -%}
    case
        when {{ value_type }} in ('boolean', 'text', 'list')
        then {{ value }}
        else '(any)'
    end
{%- endmacro %}
