{#- How many years lie between two dates, whole ones only: an age. -#}
{% macro full_years(date, today) -%}
    cast(
        extract(year from {{ today }})
        - extract(year from {{ date }})
        - case
            when
                extract(month from {{ today }}) * 100 + extract(day from {{ today }})
                < extract(month from {{ date }}) * 100 + extract(day from {{ date }})
            then 1
            else 0
        end as bigint
    )
{%- endmacro %}
