{#- A flag in any of its spellings. -#}
{% macro clean_boolean(text) -%}
    case
        when lower({{ text }}) in ('1', '1.0', '是', 'true', 't', 'yes', 'y')
        then true
        when lower({{ text }}) in ('0', '0.0', '否', 'false', 'f', 'no', 'n')
        then false
    end
{%- endmacro %}
