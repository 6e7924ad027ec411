{#- Whether the text holds a match of the pattern (RE2 and Java syntax alike). -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch("matches", "zhongtai")(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}
    rlike({{ text }}, r'{{ pattern }}')
{%- endmacro %}
