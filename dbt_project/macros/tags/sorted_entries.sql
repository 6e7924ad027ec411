{#-
  Aggregate: of the rows where the condition holds a list of (minus score, value), strongest first,
  of equals the smallest value; null for no row.
-#}
{% macro sorted_entries(value, score, condition) -%}
    {{
        return(
            adapter.dispatch("sorted_entries", "zhongtai")(value, score, condition)
        )
    }}
{%- endmacro %}

{% macro default__sorted_entries(value, score, condition) -%}
    list_sort(
        list(struct_pack(place := -{{ score }}, entry := {{ value }})) filter (
            where {{ condition }}
        )
    )
{%- endmacro %}

{#- Spark's list of nothing is empty; ours is null. -#}
{% macro spark__sorted_entries(value, score, condition) -%}
    case
        when count(case when {{ condition }} then 1 end) > 0
        then
            array_sort(
                collect_list(
                    case
                        when {{ condition }}
                        then struct(-{{ score }} as place, {{ value }} as entry)
                    end
                )
            )
    end
{%- endmacro %}
