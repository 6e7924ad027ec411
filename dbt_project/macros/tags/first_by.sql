{#- Aggregate: the value at the earliest time; of equal times the smallest value. Takes FILTER. -#}
{% macro first_by(value, time) -%}
    {{ adapter.dispatch("first_by", "zhongtai")(value, time) }}
{%- endmacro %}

{% macro default__first_by(value, time) -%}
    min_by({{ value }}, struct({{ time }}, {{ value }}))
{%- endmacro %}

{% macro duckdb__first_by(value, time) -%}
    arg_min({{ value }}, struct_pack(t := {{ time }}, v := {{ value }}))
{%- endmacro %}
