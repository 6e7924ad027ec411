{#- No two rows share the values of these columns, and none of them is null. -#}
{% test unique_key(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as row_count
    from {{ model }}
    group by {{ columns | join(", ") }}
    having
        count(*) > 1 {%- for column in columns %} or {{ column }} is null {%- endfor %}
{% endtest %}
