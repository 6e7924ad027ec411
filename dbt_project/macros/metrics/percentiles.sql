{#-
  Two aggregates, interpolated: the median of a number as <name>_p50, its 90th percentile as
  <name>_p90; null over nothing. Interpolating between equal numbers may lose the last digit, so
  that the larger percentile would be smaller; what is published keeps its order.
-#}
{% macro percentiles(value, name) -%}
    {%- set median = "percentile_cont(0.5) within group (order by " ~ value ~ ")" -%}
    {{ median }} as {{ name }}_p50,
    greatest(
        percentile_cont(0.9) within group (order by {{ value }}), {{ median }}
    ) as {{ name }}_p90
{%- endmacro %}
