{#-
  Null for an empty text and for the words that mean one (seed null_words). Expects tidy text. Only a
  text as short as the longest of the words is looked up.
-#}
{% macro drop_null_words(text) -%}
    case
        when
            {{ byte_length(text) }} <= _null_word_bytes
            and (
                {{ text }} = '' or {{ list_has("_null_words", "lower(" ~ text ~ ")") }}
            )
        then null
        else {{ text }}
    end
{%- endmacro %}
