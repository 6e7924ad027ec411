{#-
  Aggregate: one number for a set of rows in any order; another one, but for a chance of 1 in 2^64,
  where a row is added, missing or differs in one of the columns. Another engine or version gives
  other numbers, so that everything counts as changed.
-#}
{% macro fingerprint_of(columns) -%}
    {{ return(adapter.dispatch("fingerprint_of", "zhongtai")(columns)) }}
{%- endmacro %}

{% macro default__fingerprint_of(columns) -%}
    cast(sum(hash({{ columns | join(", ") }})) & 18446744073709551615 as ubigint)
{%- endmacro %}

{% macro spark__fingerprint_of(columns) -%}
    sum(cast(xxhash64({{ columns | join(", ") }}) as decimal(38, 0)))
{%- endmacro %}
