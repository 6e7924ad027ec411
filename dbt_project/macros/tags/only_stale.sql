{#-
  A further test of a where clause: in a table that stands already, only persons whose row is stale
  by one of these concerns (by any without one); everyone where it is built in full.
-#}
{% macro only_stale(concerns=none) -%}
    {%- if is_incremental() -%}
        and one_id in ({{ stale_persons(concerns) }})
    {%- endif -%}
{%- endmacro %}
