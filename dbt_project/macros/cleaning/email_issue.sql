{#- Why an e-mail address was refused. -#}
{% macro email_issue(text) -%}
    case when contains({{ text }}, '*') then 'masked' else 'malformed' end
{%- endmacro %}
