{#-
  The three columns of a net promoter score: promoters less detractors, valid responses, and their
  ratio, -1 to 1, which too few responses do not give. Not an ordinary ratio: _num may be negative.
-#}
{% macro nps(promoters, detractors, responses) -%}
    cast({{ promoters }} - {{ detractors }} as bigint) as nps_num,
    cast({{ responses }} as bigint) as nps_den,
    case
        when {{ responses }} >= 10
        then cast({{ promoters }} - {{ detractors }} as double) / {{ responses }}
    end as nps
{%- endmacro %}
