{#- A resident id of 18 characters (the last may be X) or the 15 digits of older cards. -#}
{% macro clean_id_card(text) -%}
    case
        when
            {{
                matches(
                    "upper(" ~ text ~ ")", "^[1-9][0-9]{16}[0-9X]$|^[1-9][0-9]{14}$"
                )
            }} and replace({{ text }}, left({{ text }}, 1), '') <> ''
        then upper({{ text }})
    end
{%- endmacro %}
