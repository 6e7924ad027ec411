{#-
  The lower (side -1) or upper (side 1) end of the Wilson 95 % interval of a share; null over nothing.
  1.959964 is the 97.5 % point of the normal distribution.
-#}
{% macro wilson_bound(hits, anchors, side) -%}
    {%- set n = "cast(nullif(" ~ anchors ~ ", 0) as double)" -%}
    {%- set z = "1.959963984540054" -%}
    case
        when {{ anchors }} > 0
        then
            {# of all or of none, rounding must not shut the share itself out #}
            {{ "least" if side < 0 else "greatest" }} (
                least(
                    greatest(
                        (
                            {{ hits }} / {{ n }}
                            + {{ z }} * {{ z }} / (2 * {{ n }})
                            + {{ side }}
                            * {{ z }}
                            * sqrt(
                                {{ hits }}
                                / {{ n }}
                                * (1 - {{ hits }} / {{ n }})
                                / {{ n }}
                                + {{ z }} * {{ z }} / (4 * {{ n }} * {{ n }})
                            )
                        )
                        / (1 + {{ z }} * {{ z }} / {{ n }}),
                        0
                    ),
                    1
                ),
                {{ hits }} / {{ n }}
            )
    end
{%- endmacro %}
