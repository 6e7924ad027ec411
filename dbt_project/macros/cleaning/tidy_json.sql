{#- JSON without the blanks around; an object begins with a brace and is left alone. -#}
{% macro tidy_json(text) -%}
    case
        when {{ text }} >= '{' and {{ text }} < '|'
        then {{ text }}
        else {{ trim_blanks(text) }}
    end
{%- endmacro %}
