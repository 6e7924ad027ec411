{#- A whole number; one with a fraction is unreadable rather than rounded. -#}
{% macro clean_integer(text) -%}
    case
        when {{ matches(text, "^-?[0-9]{1,18}$") }}
        then try_cast({{ text }} as bigint)
        when {{ parse_number(text) }} = floor({{ parse_number(text) }})
        then try_cast({{ parse_number(text) }} as bigint)
    end
{%- endmacro %}
