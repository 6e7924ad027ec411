{#- Why a VIN was refused. -#}
{% macro vin_issue(text) -%}
    case
        when contains({{ text }}, '*')
        then 'masked'
        when length({{ replace_all(text, "\\s+", "") }}) <> 17
        then 'wrong_length'
        else 'malformed'
    end
{%- endmacro %}
