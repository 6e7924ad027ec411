{#- A condition that is true in every row; `{model}` in it stands for the table. -#}
{% test holds(model, condition) %}
    select *
    from {{ model }}
    where not ({{ condition | replace("{model}", model | string) }})
{% endtest %}
