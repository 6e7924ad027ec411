{#- Before a table that stands already gets new rows: delete those of stale persons. -#}
{% macro forget_stale(concerns=none) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where one_id in ({{ stale_persons(concerns) }})
    {%- endif -%}
{%- endmacro %}
