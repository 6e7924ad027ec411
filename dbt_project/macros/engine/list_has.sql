{#- Whether the list holds the value; null where either is null. -#}
{% macro list_has(list, value) -%}
    {{ return(adapter.dispatch("list_has", "zhongtai")(list, value)) }}
{%- endmacro %}

{% macro default__list_has(list, value) -%}
    list_contains({{ list }}, {{ value }})
{%- endmacro %}

{% macro spark__list_has(list, value) -%}
    array_contains({{ list }}, {{ value }})
{%- endmacro %}
