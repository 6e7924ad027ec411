{#- Without leading and trailing blanks, ideographic and no-break ones included. -#}
{% macro trim_blanks(text) -%}
    {{ return(adapter.dispatch("trim_blanks", "zhongtai")(text)) }}
{%- endmacro %}

{#- DuckDB's trim removes every Unicode space separator. -#}
{% macro default__trim_blanks(text) -%} trim({{ text }}) {%- endmacro %}

{% macro spark__trim_blanks(text) -%}
    trim(both ' {{ "\u00a0\u3000" }}' from {{ text }})
{%- endmacro %}
