{#- Whether an identifier value only says that there is none: `null`, zeros, an advertising id switched off. -#}
{% macro is_placeholder_identifier(text) -%}
    {{
        matches(
            "lower(" ~ text ~ ")",
            "^([-0]*|null|none|nil|nan|undefined|unknown|anonymous|n/a|无|空|未知)$",
        )
    }}
{%- endmacro %}
