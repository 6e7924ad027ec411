{#- A whole address in lower case; masked, cut or malformed ones become null. -#}
{% macro clean_email(text) -%}
    case
        when
            {{
                matches(
                    "lower(" ~ text ~ ")",
                    "^[a-z0-9._%+-]+@([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,24}$",
                )
            }} and not {{ _is_cut_email(text) }}
        then lower({{ text }})
    end
{%- endmacro %}

{#- Some exports cut cells at 30 characters: then only a well-known ending proves the address whole. -#}
{% macro _is_cut_email(text) -%}
    (
        length({{ text }}) = 30
        and not {{ matches("lower(" ~ text ~ ")", "[.](com|cn|net|org|edu|gov)$") }}
    )
{%- endmacro %}
