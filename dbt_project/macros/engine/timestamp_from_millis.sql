{#- The naive UTC timestamp of an epoch in milliseconds (bigint). -#}
{% macro timestamp_from_millis(millis) -%}
    {{ return(adapter.dispatch("timestamp_from_millis", "zhongtai")(millis)) }}
{%- endmacro %}

{% macro default__timestamp_from_millis(millis) -%}
    epoch_ms(cast({{ millis }} as bigint))
{%- endmacro %}

{% macro spark__timestamp_from_millis(millis) -%}
    cast(timestamp_millis(cast({{ millis }} as bigint)) as timestamp_ntz)
{%- endmacro %}
