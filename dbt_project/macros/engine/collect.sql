{#- Aggregate: the values as a list. -#}
{% macro collect(value) -%}
    {{ return(adapter.dispatch("collect", "zhongtai")(value)) }}
{%- endmacro %}

{% macro default__collect(value) -%} list({{ value }}) {%- endmacro %}

{% macro spark__collect(value) -%} collect_list({{ value }}) {%- endmacro %}
