{#- A text that sorts software versions as their first four numbers do: 2.10 comes after 2.9. -#}
{% macro version_order(version) -%}
    {%- set numbers = "^[^0-9]*([0-9]+)" ~ "(?:[^0-9]+([0-9]+))?" * 3 -%}
    concat(
        {%- for group in [1, 2, 3, 4] %}
            lpad({{ extract_group(version, numbers, group) }}, 9, '0')
            {{- "," if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
