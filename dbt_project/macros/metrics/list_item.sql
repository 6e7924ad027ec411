{#- The n-th item of a list, counted from 1; null beyond its end. -#}
{% macro list_item(list, position) -%}
    {{ return(adapter.dispatch("list_item", "zhongtai")(list, position)) }}
{%- endmacro %}

{% macro default__list_item(list, position) -%}
    list_extract({{ list }}, {{ position }})
{%- endmacro %}

{% macro spark__list_item(list, position) -%}
    get({{ list }}, {{ position }} - 1)
{%- endmacro %}
