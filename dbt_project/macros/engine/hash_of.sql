{#- A 64-bit hash for use within one query; never stored, since engines and versions differ. -#}
{% macro hash_of(value) -%}
    {{ return(adapter.dispatch("hash_of", "zhongtai")(value)) }}
{%- endmacro %}

{% macro default__hash_of(value) -%} hash({{ value }}) {%- endmacro %}

{% macro spark__hash_of(value) -%} xxhash64({{ value }}) {%- endmacro %}
