{#-
  Aggregate: a JSON object of values and their shares of the whole, in the order of rank, of the
  rows where the condition holds. Shares are rounded to four decimals. Null for no row.
-#}
{% macro share_object(value, score, whole, rank, condition) -%}
    {{
        return(
            adapter.dispatch("share_object", "zhongtai")(
                value, score, whole, rank, condition
            )
        )
    }}
{%- endmacro %}

{% macro default__share_object(value, score, whole, rank, condition) -%}
    '{' || string_agg(
        cast(to_json({{ value }}) as varchar)
        || ':'
        || cast(
            floor(cast({{ score }} as double) * 10000 / {{ whole }} + 0.5)
            / 10000 as varchar
        ),
        ','
        order by {{ rank }}
    ) filter (where {{ condition }})
    || '}'
{%- endmacro %}

{#- to_json takes no text in Spark: the text alone in a list, without the brackets of the list. -#}
{% macro spark__share_object(value, score, whole, rank, condition) -%}
    case
        when count(case when {{ condition }} then 1 end) > 0
        then
            concat(
                '{',
                array_join(
                    transform(
                        array_sort(
                            collect_list(
                                case
                                    when {{ condition }}
                                    then
                                        struct(
                                            {{ rank }} as place,
                                            concat(
                                                substring(
                                                    to_json(array({{ value }})),
                                                    2,
                                                    length(to_json(array({{ value }})))
                                                    - 2
                                                ),
                                                ':',
                                                floor(
                                                    cast({{ score }} as double)
                                                    * 10000
                                                    / {{ whole }}
                                                    + 0.5
                                                )
                                                / 10000
                                            ) as entry
                                        )
                                end
                            )
                        ),
                        placed -> placed.entry
                    ),
                    ','
                ),
                '}'
            )
    end
{%- endmacro %}
