{#- One group of the first match; an empty text where the group or the match is absent. -#}
{% macro extract_group(text, pattern, group) -%}
    {{ return(adapter.dispatch("extract_group", "zhongtai")(text, pattern, group)) }}
{%- endmacro %}

{% macro default__extract_group(text, pattern, group) -%}
    regexp_extract({{ text }}, '{{ pattern }}', {{ group }})
{%- endmacro %}

{% macro spark__extract_group(text, pattern, group) -%}
    regexp_extract({{ text }}, r'{{ pattern }}', {{ group }})
{%- endmacro %}
