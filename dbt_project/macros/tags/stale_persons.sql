{#- A query of the persons whose row is stale by one of these concerns; by any without one. -#}
{% macro stale_persons(concerns=none) -%}
    select one_id
    from {{ ref("int_tags__stale") }}
    {%- if concerns %} where concern in ('{{ concerns | join("', '") }}') {%- endif %}
{%- endmacro %}
