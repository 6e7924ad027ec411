{#-
  The lower (side -1) or upper (side 1) end of the 95 % interval of one share less another, after
  Newcombe: from the Wilson intervals of both, so that it holds for few cases too; null where either
  is over nothing.
-#}
{% macro difference_bound(hits, anchors, other_hits, other_anchors, side) -%}
    {%- set share = "(" ~ hits ~ " / cast(nullif(" ~ anchors ~ ", 0) as double))" -%}
    {%- set other = (
        "("
        ~ other_hits
        ~ " / cast(nullif("
        ~ other_anchors
        ~ ", 0) as double))"
    ) -%}
    {{ share }}
    - {{ other }}
    + {{ side }}
    * sqrt(
        power({{ share }} - ({{ wilson_bound(hits, anchors, side) }}), 2)
        + power({{ other }} - ({{ wilson_bound(other_hits, other_anchors, -side) }}), 2)
    )
{%- endmacro %}
