{#- A mainland mobile number as E.164 (`+8613812345678`); anything else becomes null. -#}
{% macro clean_mobile(text, placeholders="_placeholder_mobiles") -%}
    {%- set digits = "right(" ~ replace_all(text, "[.]0*$|[^0-9]", "") ~ ", 11)" -%}
    case
        when {{ text }} is null or not {{ matches(text, _mobile_pattern()) }}
        then null
        when {{ list_has(placeholders, digits) }} or {{ _one_digit_repeated(digits) }}
        then null
        else concat('+86', {{ digits }})
    end
{%- endmacro %}

{#- Also written 0138…, 86138…, +86 138-1234-5678, 0086…, (86)138…, and 13812345678.0 by sheets. -#}
{% macro _mobile_pattern() -%}
    {{
        return(
            "^([(]?([+]|00)?[ ]?86[)]?[ -]*|0)?1[ -]?[3-9]([ -]?[0-9]){9}([.]0*)?$"
        )
    }}
{%- endmacro %}

{% macro _one_digit_repeated(digits) -%}
    replace(substr({{ digits }}, 2), substr({{ digits }}, 2, 1), '') = ''
{%- endmacro %}
