{#- Why a time, a date or an epoch was refused. -#}
{% macro time_issue(text) -%}
    case
        when {{ matches(text, "^0[-/.:0 ]*$") }} then 'placeholder' else 'unreadable'
    end
{%- endmacro %}
