{#- Whether the text is an MD5 or a SHA-256 in hex: a phone that the source hides. -#}
{% macro is_digest(text) -%}
    {{ matches(text, "^([0-9a-fA-F]{32}|[0-9a-fA-F]{64})$") }}
{%- endmacro %}
