{#- Replace every match of the pattern by a plain text (no back-references: they differ). -#}
{% macro replace_all(text, pattern, replacement) -%}
    {{
        return(
            adapter.dispatch("replace_all", "zhongtai")(text, pattern, replacement)
        )
    }}
{%- endmacro %}

{% macro default__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro spark__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, r'{{ pattern }}', '{{ replacement }}')
{%- endmacro %}
