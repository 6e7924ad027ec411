{#- A number, as double; one of more than 13 digits before the point is no score, share or target. -#}
{% macro clean_decimal(text) -%}
    case
        when abs({{ parse_number(text) }}) < 10000000000000
        then {{ parse_number(text) }}
    end
{%- endmacro %}
