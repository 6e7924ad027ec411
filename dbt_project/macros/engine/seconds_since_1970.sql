{#- Seconds between 1970 and a naive UTC timestamp, as double. -#}
{% macro seconds_since_1970(timestamp) -%}
    {{ return(adapter.dispatch("seconds_since_1970", "zhongtai")(timestamp)) }}
{%- endmacro %}

{% macro default__seconds_since_1970(timestamp) -%}
    epoch({{ timestamp }})
{%- endmacro %}

{% macro spark__seconds_since_1970(timestamp) -%}
    cast(unix_micros(cast({{ timestamp }} as timestamp)) as double) / 1000000
{%- endmacro %}
