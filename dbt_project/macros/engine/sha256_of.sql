{#- The SHA-256 of a text in lower-case hex. -#}
{% macro sha256_of(text) -%}
    {{ return(adapter.dispatch("sha256_of", "zhongtai")(text)) }}
{%- endmacro %}

{% macro default__sha256_of(text) -%} sha256({{ text }}) {%- endmacro %}

{% macro spark__sha256_of(text) -%} sha2({{ text }}, 256) {%- endmacro %}
