{#- An epoch, in milliseconds or (10 digits) in seconds; written times are read like any other. -#}
{% macro clean_epoch(text) -%}
    case
        when {{ text }} like '_____________' and try_cast({{ text }} as bigint) > 0
        then {{ timestamp_from_millis("try_cast(" ~ text ~ " as bigint)") }}
        else {{ clean_timestamp(text) }}
    end
{%- endmacro %}
