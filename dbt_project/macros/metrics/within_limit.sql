{#- Whether something happened at most so many hours after the anchor, the limit itself included. -#}
{% macro within_limit(happened_at, anchor, hours) -%}
    ({{ happened_at }} <= {{ anchor }} + interval '{{ hours }}' hour)
{%- endmacro %}
