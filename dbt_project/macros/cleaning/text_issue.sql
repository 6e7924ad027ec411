{#- Why a text was refused. -#}
{% macro text_issue(text) -%} 'formula' {%- endmacro %}
