{#- The texts of several top-level fields of a JSON object as one list, so that it is parsed once. -#}
{% macro json_fields(json, fields) -%}
    {{ return(adapter.dispatch("json_fields", "zhongtai")(json, fields)) }}
{%- endmacro %}

{% macro default__json_fields(json, fields) -%}
    json_extract_string(
        {{ json }},
        [
            {% for field in fields %}
                '$."{{ field }}"'{{ ", " if not loop.last }}
            {% endfor %}
        ]
    )
{%- endmacro %}

{% macro spark__json_fields(json, fields) -%}
    array(
        {% for field in fields %}
            get_json_object({{ json }}, '$["{{ field }}"]'){{ ", " if not loop.last }}
        {% endfor %}
    )
{%- endmacro %}
