{#- The last local date that had begun at as-of; a date that begins at as-of has not. -#}
{% macro last_date() -%}
    {{ local_date(as_of() ~ " - interval '1' microsecond") }}
{%- endmacro %}
