{#- A query with one row per day, first to last inclusive, in column `date`. -#}
{% macro each_date(first, last) -%}
    {{ return(adapter.dispatch("each_date", "zhongtai")(first, last)) }}
{%- endmacro %}

{% macro default__each_date(first, last) -%}
    select
        cast(
            unnest(generate_series({{ first }}, {{ last }}, interval '1' day)) as date
        ) as date
{%- endmacro %}

{% macro spark__each_date(first, last) -%}
    select explode(sequence({{ first }}, {{ last }}, interval '1' day)) as date
{%- endmacro %}
