{#- Whether a window of so many days after the anchor had fully elapsed at as_of, a column. -#}
{% macro is_mature(anchor, days) -%}
    ({{ anchor }} + interval '{{ days }}' day <= as_of)
{%- endmacro %}
