{#- A key is compared after trimming blanks, and nothing else is changed. -#}
{% macro clean_key(text) -%} nullif({{ trim_blanks(text) }}, '') {%- endmacro %}
