{#- Why a number, an amount, a flag or a JSON text was refused. -#}
{% macro number_issue(text) -%} 'unreadable' {%- endmacro %}
