{#- A vehicle identification number: upper case, O and Q typed for 0 and I for 1 put right. -#}
{% macro clean_vin(text) -%}
    {%- set vin = (
        "translate(upper("
        ~ replace_all(text, "\\s+", "")
        ~ "), 'OIQ', '010')"
    ) -%}
    case when {{ matches(vin, "^[A-HJ-NPR-Z0-9]{17}$") }} then {{ vin }} end
{%- endmacro %}
