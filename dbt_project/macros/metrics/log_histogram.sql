{#-
  Aggregate: a sketch of quantiles that can be merged, as a JSON object of bucket and count; null over
  no value. Bucket b holds the values v >= 0 with floor(ln(1 + v) / ln(1.05)) = b, so that any quantile
  of merged sketches is known to 2.5 % of 1 + v: exp((b + 0.5) * ln(1.05)) - 1.
-#}
{% macro log_histogram(value) -%}
    {{ return(adapter.dispatch("log_histogram", "zhongtai")(value)) }}
{%- endmacro %}

{% macro default__log_histogram(value) -%}
    cast(
        to_json(
            histogram(cast(floor(ln(1 + {{ value }}) / ln(1.05)) as integer))
        ) as varchar
    )
{%- endmacro %}

{#- Spark has no histogram of values: their sorted list, counted. -#}
{% macro spark__log_histogram(value) -%}
    {%- set buckets -%}
        array_sort(collect_list(cast(floor(ln(1 + {{ value }}) / ln(1.05)) as int)))
    {%- endset -%}
    case
        when count({{ value }}) > 0
        then
            to_json(
                map_from_entries(
                    transform(
                        array_distinct({{ buckets }}),
                        b -> struct(
                            cast(b as string), size(filter({{ buckets }}, v -> v = b))
                        )
                    )
                )
            )
    end
{%- endmacro %}
