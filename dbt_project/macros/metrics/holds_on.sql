{#- Whether a row of a seed with valid_from and valid_to (half open) holds on the local date of a timestamp. -#}
{% macro holds_on(seed, timestamp) -%}
    (
        {{ local_date(timestamp) }} >= {{ seed }}.valid_from
        and (
            {{ seed }}.valid_to is null
            or {{ local_date(timestamp) }} < {{ seed }}.valid_to
        )
    )
{%- endmacro %}
