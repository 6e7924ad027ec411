{#- Whether a spreadsheet would run the text: `=…`, `@…`, or a sign before a name, bracket or pipe. -#}
{% macro is_formula(text) -%}
    (
        {{ text }} like '=%'
        or {{ text }} like '@%'
        or (
            ({{ text }} like '+%' or {{ text }} like '-%')
            and {{ matches(text, "^[+-]([A-Za-z(]|.*[|])") }}
        )
    )
{%- endmacro %}
