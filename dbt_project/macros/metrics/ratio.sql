{#-
  The three columns of a published ratio over grouped rows: what `anchors` selects is its
  denominator, those of them that `hits` selects its numerator; null, never 0, over no anchors.
-#}
{% macro ratio(name, hits, anchors) -%}
    count(*) filter (where ({{ anchors }}) and ({{ hits }})) as {{ name }}_num,
    count(*) filter (where {{ anchors }}) as {{ name }}_den,
    cast(count(*) filter (where ({{ anchors }}) and ({{ hits }})) as double)
    / nullif(count(*) filter (where {{ anchors }}), 0) as {{ name }}
{%- endmacro %}
