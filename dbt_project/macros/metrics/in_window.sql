{#- Whether something happened in [anchor, anchor + days). -#}
{% macro in_window(happened_at, anchor, days) -%}
    (
        {{ happened_at }} >= {{ anchor }}
        and {{ happened_at }} < {{ anchor }} + interval '{{ days }}' day
    )
{%- endmacro %}
