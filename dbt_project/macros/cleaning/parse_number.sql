{#- A number as people write it: `12,345.00元`, `23.98万`, `￥-5`, `(123.00)`, `95%`; double or null. -#}
{% macro parse_number(text) -%}
    case
        when
            {{
                matches(
                    text,
                    "^[(+-]? *[¥￥$]? *[+-]?[0-9,]*[.]?[0-9]+([eE][+-]?[0-9]{1,2})? *(万|亿)? *(元|圆|RMB|CNY|%)?[)]?$",
                )
            }}
        then
            try_cast({{ replace_all(text, "[^0-9.eE+-]", "") }} as double) * case
                when contains({{ text }}, '万')
                then 10000
                when contains({{ text }}, '亿')
                then 100000000
                else 1
            end
            * case when left({{ text }}, 1) = '(' then -1 else 1 end
    end
{%- endmacro %}
