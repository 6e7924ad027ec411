{#-
  The key columns as delivered, trimmed and joined by `|`. With a fallback, where its column is
  absent, a digest of the whole line (but the columns that a repetition changes) stands in for it.
-#}
{% macro record_key(key, columns, fallback=none) -%}
    {%- set parts = [] -%}
    {%- for delivered in key -%}
        {%- set value = clean_key(adapter.quote(delivered)) -%}
        {%- if fallback and fallback["absent"] == delivered -%}
            {%- do parts.append(
                "coalesce("
                ~ value
                ~ ", "
                ~ _line_digest(columns, fallback)
                ~ ")"
            ) -%}
        {%- else -%} {%- do parts.append("coalesce(" ~ value ~ ", '')") -%}
        {%- endif -%}
    {%- endfor -%}
    {{
        return(
            parts[0]
            if parts | length == 1
            else "concat(" ~ parts | join(", '|', ") ~ ")"
        )
    }}
{%- endmacro %}

{% macro _line_digest(columns, fallback) -%}
    {%- set texts = [] -%}
    {%- for spec in columns.values() if spec[0] not in fallback["ignoring"] -%}
        {%- do texts.append("coalesce(" ~ adapter.quote(spec[0]) ~ ", '')") -%}
    {%- endfor -%}
    {%- do texts.append("coalesce(_extra, '')") -%}
    {{ return("md5(concat(" ~ texts | join(", chr(31), ") ~ "))") }}
{%- endmacro %}
