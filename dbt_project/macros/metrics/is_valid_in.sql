{#-
  Whether a row of a parameter seed holds for a period: `period` is its first day, `parameter` the
  alias of the seed. Half-open: a change on the day of valid_to is the next row's.
-#}
{% macro is_valid_in(parameter, period) -%}
    (
        {{ parameter }}.valid_from <= {{ period }}
        and (
            {{ parameter }}.valid_to is null or {{ period }} < {{ parameter }}.valid_to
        )
    )
{%- endmacro %}
