{#- The same time of the same day so many months later; the last day where the month is shorter. -#}
{% macro months_later(timestamp, months) -%}
    {{ return(adapter.dispatch("months_later", "zhongtai")(timestamp, months)) }}
{%- endmacro %}

{% macro default__months_later(timestamp, months) -%}
    ({{ timestamp }} + to_months(cast({{ months }} as integer)))
{%- endmacro %}

{% macro spark__months_later(timestamp, months) -%}
    ({{ timestamp }} + make_ym_interval(0, cast({{ months }} as int)))
{%- endmacro %}
