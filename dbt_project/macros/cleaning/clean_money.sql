{#-
  Money that is delivered in yuan, as whole fen. Doubles are exact far beyond any price here. What
  is worth a hundred billion yuan is the number of a card or an order, and would overflow a product.
-#}
{% macro clean_money(text) -%}
    cast(try_cast(round({{ parse_number(text) }} * 100) as decimal(13, 0)) as bigint)
{%- endmacro %}
