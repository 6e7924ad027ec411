{#-
  amount * numerator / denominator as whole fen, rounded once, halves away from zero. Exact below
  2^53: what is divided is a multiple of the divisor.
-#}
{% macro share_of(amount, numerator, denominator) -%}
    {%- set doubled = (
        "(2 * abs("
        ~ amount
        ~ ") * "
        ~ numerator
        ~ " + "
        ~ denominator
        ~ ")"
    ) -%}
    cast(
        sign({{ amount }})
        * ({{ doubled }} - {{ doubled }} % (2 * {{ denominator }}))
        / (2 * {{ denominator }}) as bigint
    )
{%- endmacro %}
