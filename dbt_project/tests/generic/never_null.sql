{#- None of these columns is null anywhere: one scan for all of them. -#}
{% test never_null(model, columns) %}
    select *
    from {{ model }}
    where
        {% for column in columns %}
            {{ column }} is null{{ " or " if not loop.last }}
        {% endfor %}
{% endtest %}
