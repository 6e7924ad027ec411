{#- Well-formed JSON as text; JSON inside a JSON string is taken out. Expects trimmed text. -#}
{% macro clean_json(text) -%}
    case
        when not {{ is_json(text) }}
        then null
        when left({{ text }}, 1) = '"' and {{ is_json(_json_inside(text)) }}
        then {{ _json_inside(text) }}
        when left({{ text }}, 1) in ('{', '[')
        then {{ text }}
    end
{%- endmacro %}

{% macro _json_inside(text) -%} ({{ text }} ->> '$') {%- endmacro %}
