{#- Length of a text in UTF-8 bytes. -#}
{% macro byte_length(text) -%}
    {{ return(adapter.dispatch("byte_length", "zhongtai")(text)) }}
{%- endmacro %}

{% macro default__byte_length(text) -%} strlen({{ text }}) {%- endmacro %}

{% macro spark__byte_length(text) -%} octet_length({{ text }}) {%- endmacro %}
