{#- Why a code, a reference or a name was refused. -#}
{% macro code_issue(text) -%}
    case when {{ is_formula(text) }} then 'formula' else 'masked' end
{%- endmacro %}
