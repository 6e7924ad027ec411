{#- What a value of a tag is compared as: a number by its order of magnitude. -#}
{% macro tag_bucket(value, value_type) -%}
    case
        when {{ value_type }} in ('boolean', 'text', 'list')
        then {{ value }}
        when {{ value_type }} in ('integer', 'number')
        then cast(floor(log2(abs(cast({{ value }} as double)) + 1)) as varchar)
        else '(any)'
    end
{%- endmacro %}
