{#- A number, as double. -#}
{% macro clean_decimal(text) -%} {{ parse_number(text) }} {%- endmacro %}
