{#- Without leading and trailing blanks, ideographic and no-break ones included. -#}
{% macro trim_blanks(text) -%}
    {%- set blanks = " \u00a0\u3000" -%}
    {{ return(adapter.dispatch("trim_blanks", "zhongtai")(text, blanks)) }}
{%- endmacro %}

{#- Comparisons cost a tenth of a trim, and hardly any text has blanks around. -#}
{% macro default__trim_blanks(text, blanks) -%}
    case
        when
            {{ byte_length(text) }} = length({{ text }})
            and {{ text }} >= '!'
            and {{ text }} not like '% '
        then {{ text }}
        else trim({{ text }}, '{{ blanks }}')
    end
{%- endmacro %}

{% macro spark__trim_blanks(text, blanks) -%}
    trim(both '{{ blanks }}' from {{ text }})
{%- endmacro %}
