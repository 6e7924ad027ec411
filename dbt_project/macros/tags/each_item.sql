{#- In a select list: one row for each item of the list, none for an empty or unknown one. -#}
{% macro each_item(list) -%}
    {{ return(adapter.dispatch("each_item", "zhongtai")(list)) }}
{%- endmacro %}

{% macro default__each_item(list) -%} unnest({{ list }}) {%- endmacro %}

{% macro spark__each_item(list) -%} explode({{ list }}) {%- endmacro %}
