{#- The local date of any spelling of a date or time. -#}
{% macro clean_date(text) -%}
    case
        when {{ text }} like '____-__-__'
        then try_cast({{ text }} as date)
        else {{ local_date("(" ~ clean_timestamp(text) ~ ")") }}
    end
{%- endmacro %}
