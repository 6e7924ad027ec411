{#- How many months lie between two dates, whole ones only. -#}
{% macro full_months(date, today) -%}
    (
        extract(year from {{ today }}) * 12
        + extract(month from {{ today }})
        - extract(year from {{ date }}) * 12
        - extract(month from {{ date }})
        - case
            when extract(day from {{ today }}) < extract(day from {{ date }})
            then 1
            else 0
        end
    )
{%- endmacro %}
