{#- The instant of the run (naive UTC). A subquery, not a var: a var would undo partial parsing. -#}
{% macro as_of() -%}
    (select as_of from {{ source("meta", "run_context") }})
{%- endmacro %}
