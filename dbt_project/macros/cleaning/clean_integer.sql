{#-
  A whole number; one with a fraction is unreadable rather than rounded. One of more than 13 digits
  is the number of something, no count or amount, and would overflow a sum or product.
-#}
{% macro clean_integer(text) -%}
    case
        when {{ matches(text, "^-?[0-9]{1,13}$") }}
        then try_cast({{ text }} as bigint)
        when {{ parse_number(text) }} = floor({{ parse_number(text) }})
        then cast(try_cast({{ parse_number(text) }} as decimal(13, 0)) as bigint)
    end
{%- endmacro %}
