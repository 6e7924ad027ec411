{#- Aggregate: the values as a list in their order, of the rows where the condition holds. -#}
{% macro sorted_list(value, condition) -%}
    {{ return(adapter.dispatch("sorted_list", "zhongtai")(value, condition)) }}
{%- endmacro %}

{% macro default__sorted_list(value, condition) -%}
    list({{ value }} order by {{ value }}) filter (where {{ condition }})
{%- endmacro %}

{#- Spark's list of nothing is empty; ours is null. -#}
{% macro spark__sorted_list(value, condition) -%}
    case
        when count(case when {{ condition }} then 1 end) > 0
        then array_sort(collect_list(case when {{ condition }} then {{ value }} end))
    end
{%- endmacro %}
