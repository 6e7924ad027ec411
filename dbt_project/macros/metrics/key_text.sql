{#- A key column of a shared table: never null, empty where the source says nothing. -#}
{% macro key_text(column) -%} coalesce({{ column }}, '') {%- endmacro %}
