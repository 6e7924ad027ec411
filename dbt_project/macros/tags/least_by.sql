{#-
  Aggregate: of the rows where the condition holds, the value with the least key; the key is a list
  of SQL expressions, and of equal ones the smallest value is taken.
-#}
{% macro least_by(value, key, condition) -%}
    {{ return(adapter.dispatch("least_by", "zhongtai")(value, key, condition)) }}
{%- endmacro %}

{% macro default__least_by(value, key, condition) -%}
    arg_min({{ value }}, row({{ key }}, {{ value }})) filter (where {{ condition }})
{%- endmacro %}

{% macro spark__least_by(value, key, condition) -%}
    min_by({{ value }}, struct({{ key }}, {{ value }})) filter (where {{ condition }})
{%- endmacro %}
