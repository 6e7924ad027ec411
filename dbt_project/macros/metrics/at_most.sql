{#-
  A number (double) that its definition bounds: what rounding adds to the last digit is taken off;
  null stays null.
-#}
{% macro at_most(limit, value) -%}
    case
        when {{ value }} > {{ limit }} then cast({{ limit }} as double) else {{ value }}
    end
{%- endmacro %}
