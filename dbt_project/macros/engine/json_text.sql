{#- The text of one top-level field of a JSON object; null where it is absent. -#}
{% macro json_text(json, field) -%}
    {{ return(adapter.dispatch("json_text", "zhongtai")(json, field)) }}
{%- endmacro %}

{#- The field is quoted in the path because analytics fields begin with a dollar sign. -#}
{% macro default__json_text(json, field) -%}
    json_extract_string({{ json }}, '$."{{ field }}"')
{%- endmacro %}

{% macro spark__json_text(json, field) -%}
    get_json_object({{ json }}, '$["{{ field }}"]')
{%- endmacro %}
