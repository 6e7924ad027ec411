{#- Aggregate: the value at the latest time; of equal times the largest value. Takes FILTER. -#}
{% macro last_by(value, time) -%}
    {{ adapter.dispatch("last_by", "zhongtai")(value, time) }}
{%- endmacro %}

{% macro default__last_by(value, time) -%}
    max_by({{ value }}, struct({{ time }}, {{ value }}))
{%- endmacro %}

{% macro duckdb__last_by(value, time) -%}
    arg_max({{ value }}, struct_pack(t := {{ time }}, v := {{ value }}))
{%- endmacro %}
