{#- The same day so many years later; 29 February becomes the 28th where there is none. -#}
{% macro years_later(date, years) -%}
    {{ return(adapter.dispatch("years_later", "zhongtai")(date, years)) }}
{%- endmacro %}

{% macro default__years_later(date, years) -%}
    cast({{ date }} + to_years(cast({{ years }} as integer)) as date)
{%- endmacro %}

{% macro spark__years_later(date, years) -%}
    add_months({{ date }}, 12 * cast({{ years }} as int))
{%- endmacro %}
