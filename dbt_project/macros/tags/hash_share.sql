{#- A text's place between 0 and 1, for ever the same: the first 32 bits of its MD5 digest. -#}
{% macro hash_share(text) -%}
    {{ return(adapter.dispatch("hash_share", "zhongtai")(text)) }}
{%- endmacro %}

{% macro default__hash_share(text) -%}
    (cast(cast('0x' || substr(md5({{ text }}), 1, 8) as bigint) as double) / 4294967296)
{%- endmacro %}

{% macro spark__hash_share(text) -%}
    (cast(conv(substr(md5({{ text }}), 1, 8), 16, 10) as double) / 4294967296)
{%- endmacro %}
