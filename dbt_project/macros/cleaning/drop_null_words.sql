{#- Null for an empty text and for the words that mean one (seed null_words). Expects tidy text. -#}
{% macro drop_null_words(text, null_words="_null_words") -%}
    case
        when {{ text }} = '' or {{ list_has(null_words, "lower(" ~ text ~ ")") }}
        then null
        else {{ text }}
    end
{%- endmacro %}
