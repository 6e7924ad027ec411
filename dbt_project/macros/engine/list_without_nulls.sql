{#- A list of the expressions that are not null. -#}
{% macro list_without_nulls(expressions) -%}
    {{ return(adapter.dispatch("list_without_nulls", "zhongtai")(expressions)) }}
{%- endmacro %}

{% macro default__list_without_nulls(expressions) -%}
    list_filter([{{ expressions | join(", ") }}], lambda item:item is not null)
{%- endmacro %}

{% macro spark__list_without_nulls(expressions) -%}
    array_compact(array({{ expressions | join(", ") }}))
{%- endmacro %}
