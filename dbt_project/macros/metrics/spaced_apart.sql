{#-
  Of a list of times the earliest, then each next one that lies at least so many days after the one
  taken before it, ascending. An empty or unknown list gives an empty or unknown one.
-#}
{% macro spaced_apart(times, days) -%}
    {{ return(adapter.dispatch("spaced_apart", "zhongtai")(times, days)) }}
{%- endmacro %}

{% macro default__spaced_apart(times, days) -%}
    list_reduce(
        list_transform(list_sort({{ times }}), lambda happened:[happened]),
        lambda kept,
        happened: case
            when happened[1] >= kept[-1] + interval '1' day * {{ days }}
            then kept || happened
            else kept
        end
    )
{%- endmacro %}

{% macro spark__spaced_apart(times, days) -%}
    aggregate(
        array_sort({{ times }}),
        cast(array() as array<timestamp>),
        (kept, happened) -> case
            when
                size(kept) = 0
                or happened >= element_at(kept, -1) + interval '1' day * {{ days }}
            then concat(kept, array(happened))
            else kept
        end
    )
{%- endmacro %}
