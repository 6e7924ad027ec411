{#- Why a mobile number was refused. Order matters: a masked placeholder is masked. -#}
{% macro mobile_issue(text, placeholders="_placeholder_mobiles") -%}
    {%- set digits = replace_all(text, "[.]0*$|[^0-9]", "") -%}
    case
        when {{ matches(text, "^[0-9]([.][0-9]*)?[eE][+]?[0-9]+$") }}
        then 'scientific_notation'
        when {{ matches(text, "[0-9][*xX•·]{2,}|[*]") }}
        then 'masked'
        when
            {{ list_has(placeholders, "right(" ~ digits ~ ", 11)") }}
            or (
                length({{ digits }}) >= 7
                and replace({{ digits }}, left({{ digits }}, 1), '') = ''
            )
            or {{ matches(text, _mobile_pattern()) }}
        then 'placeholder'
        when {{ matches(digits, _landline_pattern()) }}
        then 'landline'
        else 'malformed'
    end
{%- endmacro %}

{#- With area code (and extension), behind +86, a service number, or without area code. -#}
{% macro _landline_pattern() -%}
    {{
        return(
            "^(86)?0[1-9][0-9]{8,14}$|^86(10|[2-9][0-9]{1,2})[0-9]{7,8}$"
            ~ "|^[48]00[0-9]{7}$|^[2-8][0-9]{6,7}$"
        )
    }}
{%- endmacro %}
