{#-
  A JSON object of values and their shares of the whole, from the first entries of
  `sorted_entries`; all of them where top is none. Shares are rounded to four decimals.
-#}
{% macro share_object(entries, whole, top) -%}
    {{ return(adapter.dispatch("share_object", "zhongtai")(entries, whole, top)) }}
{%- endmacro %}

{% macro default__share_object(entries, whole, top) -%}
    '{' || array_to_string(
        list_transform(
            {% if top %}list_slice({{ entries }}, 1, {{ top }})
            {% else %}{{ entries }}
            {% endif %},
            lambda e:cast(to_json(e.entry) as varchar)
            || ':'
            || cast(
                floor(cast(- e.place as double) * 10000 / {{ whole }} + 0.5)
                / 10000 as varchar
            )
        ),
        ','
    )
    || '}'
{%- endmacro %}

{#- to_json takes no text in Spark: the text alone in a list, without the brackets of the list. -#}
{% macro spark__share_object(entries, whole, top) -%}
    concat(
        '{',
        array_join(
            transform(
                {% if top %}slice({{ entries }}, 1, {{ top }})
                {% else %}{{ entries }}
                {% endif %},
                e -> concat(
                    regexp_extract(to_json(array(e.entry)), '^.(.*).$', 1),
                    ':',
                    floor(cast(- e.place as double) * 10000 / {{ whole }} + 0.5) / 10000
                )
            ),
            ','
        ),
        '}'
    )
{%- endmacro %}
