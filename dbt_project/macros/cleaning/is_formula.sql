{#- Whether a spreadsheet would run the text: `=…`, `@…`, or a sign before a name, bracket or pipe. -#}
{% macro is_formula(text) -%}
    (
        left({{ text }}, 1) in ('=', '@', '+', '-')
        and {{ matches(text, "^([=@]|[+-]([A-Za-z(]|.*[|]))") }}
    )
{%- endmacro %}
