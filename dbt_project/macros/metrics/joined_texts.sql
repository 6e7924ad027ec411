{#- Aggregate: the different texts where the condition holds, in their order, joined by commas. -#}
{% macro joined_texts(value, condition) -%}
    {{ return(adapter.dispatch("joined_texts", "zhongtai")(value, condition)) }}
{%- endmacro %}

{% macro default__joined_texts(value, condition) -%}
    array_to_string(
        list_sort(list(distinct {{ value }}) filter (where {{ condition }})), ','
    )
{%- endmacro %}

{% macro spark__joined_texts(value, condition) -%}
    nullif(
        array_join(
            array_sort(collect_set(case when {{ condition }} then {{ value }} end)), ','
        ),
        ''
    )
{%- endmacro %}
