{#-
  The same local day and clock time so many months later, of and as a naive UTC timestamp; the last
  day of the month where it has no such day.
-#}
{% macro months_after(timestamp, months) -%}
    (
        {{ timestamp }}
        + interval '8' hour
        + interval '1' month * {{ months }}
        - interval '8' hour
    )
{%- endmacro %}
