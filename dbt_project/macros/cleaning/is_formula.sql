{#- Whether a spreadsheet would run the text: `=…`, `@…`, or a sign before a name, bracket or pipe.
    Device ids are random letters, digits, `_` and `-`: one in 64 begins with `-`, and no cell
    reference or function is as long without a bracket. -#}
{% macro is_formula(text) -%}
    (
        {{ text }} like '=%'
        or {{ text }} like '@%'
        or (
            ({{ text }} like '+%' or {{ text }} like '-%')
            and {{ matches(text, "^[+-]([A-Za-z(]|.*[|])") }}
            and not {{ matches(text, "^-[A-Za-z0-9_-]{15,}$") }}
        )
    )
{%- endmacro %}
