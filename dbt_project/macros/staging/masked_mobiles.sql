{#-
  List of the mobiles of which only the ends are shown, as 138****1234: they identify nobody, but
  tell apart who has the same name. Expects the columns of `typed_values`.
-#}
{% macro masked_mobiles(columns) -%}
    {%- set masked = [] -%}
    {%- for name, spec in columns.items() if spec[1] == "mobile" -%}
        {%- set shown = replace_all(name ~ "__text", "[ -]", "") -%}
        {%- set cell -%}
            case
                when {{ name }} is null and contains({{ name }}__text, '*') and
                    {{ matches(shown, "^([+]?86)?1[0-9]{2}[*]{4}[0-9]{4}$") }}
                then right({{ shown }}, 11)
            end
        {%- endset -%}
        {%- do masked.append(cell) -%}
    {%- endfor -%}
    {{ list_without_nulls(masked) }}
{%- endmacro %}
