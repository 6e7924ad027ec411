{#- Whether the text is well-formed JSON. -#}
{% macro is_json(text) -%}
    {{ return(adapter.dispatch("is_json", "zhongtai")(text)) }}
{%- endmacro %}

{% macro default__is_json(text) -%} json_valid({{ text }}) {%- endmacro %}

{% macro spark__is_json(text) -%}
    (get_json_object({{ text }}, '$') is not null)
{%- endmacro %}
