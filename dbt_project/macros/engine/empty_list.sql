{#- A list of texts that holds nothing. -#}
{% macro empty_list() -%}
    {{ return(adapter.dispatch("empty_list", "zhongtai")()) }}
{%- endmacro %}

{% macro default__empty_list() -%} cast([] as varchar[]) {%- endmacro %}

{% macro spark__empty_list() -%} cast(array() as array<string>) {%- endmacro %}
