{#- Money that is delivered in fen. -#}
{% macro clean_fen(text) -%} {{ clean_integer(text) }} {%- endmacro %}
