{#- Of every ratio 0 <= numerator <= denominator, and the ratio is null exactly over no anchors. -#}
{% test ratios_are_sound(model) %}
    {%- set names = [] -%}
    {%- if execute -%}
        {#- a table that is not there yet has no columns; the query then says so itself -#}
        {%- set columns = adapter.get_columns_in_relation(model) -%}
        {%- for column in columns if column.name.endswith("_den") -%}
            {%- do names.append(column.name[:-4]) -%}
        {%- endfor -%}
        {%- if columns and not names -%}
            {%- do exceptions.raise_compiler_error(model ~ " has no ratio to test") -%}
        {%- endif -%}
    {%- endif -%}
    select *
    from {{ model }}
    where
        false
        {%- for name in names %}
            or not coalesce({{ name }}_num between 0 and {{ name }}_den, false)
            or ({{ name }}_den = 0) != ({{ name }} is null)
        {%- endfor %}
{% endtest %}
